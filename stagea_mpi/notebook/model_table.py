"""The models of a shard as a table: what packed.h5 says of each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..storage.packed_reader import PackedFile
from ..storage.schema import CLUSTERS, POINTERS, SCORE_TABLE, SCORES, TARGETS
from . import graph_tables

if TYPE_CHECKING:
    import pandas as pd

#: Columns of packed.h5 that flag a model (docs/inputs.md).
QUALITY_FLAGS = ("low_heavy_light", "vdw_clash", "modified_interface")


def model_table(packed: PackedFile, shard: int) -> pd.DataFrame:
    """A row for each model, with or without a graph.

    Returns
    -------
    table : DataFrame
        `model`, the columns that `explore.Run.models` describes, and `optional_columns`.
    """
    pd = graph_tables.pandas_module()
    pointers = {table: packed.column(pointer) for table, pointer in POINTERS.items()}
    sums = {
        name: _sums(packed.column(f"edge/{column}"), pointers["edge"])
        for name, column in (("contact_area", "voro_area"), ("elec", "elec"), ("vdw", "vdw"))
    }
    n_clusters = np.diff(packed.column(CLUSTERS[2])) if packed.is_clustered else np.full(packed.n_models, np.nan)
    return pd.DataFrame(
        {
            "model": _column(packed.names),
            "target": _as_text(packed.column("model/target")),
            **{name: _or_nan(packed.column(f"model/{name}")) for name in ("seed", "sample")},
            "shard": np.full(packed.n_models, shard),
            "status": _column(packed.statuses),
            "n_atoms": packed.column("model/n_atoms"),
            "dropped_locations": packed.column("model/dropped_locations"),
            **{role: _as_text(packed.column(f"model/{role}")) for role in ("heavy_type", "light_type", "input_chains")},
            **{f"n_{table}s": np.diff(pointer) for table, pointer in pointers.items()},
            "n_clusters": n_clusters,
            **sums,
            **{flag: packed.column(f"model/{flag}").astype(bool) for flag in QUALITY_FLAGS},
            "left_out": _as_text(packed.column("model/left_out_names")),
            "seconds": packed.column("model/seconds").sum(axis=1),
            "source": _as_text(packed.column("model/source")),
            **optional_columns(packed),
            "score_problem": _column(packed.score_problems),
        }
    )


def optional_columns(packed: PackedFile) -> dict[str, np.ndarray]:
    """Columns that not every shard has, each of numbers or of text, shape=(models,)."""
    scores = {name: packed.column(f"{SCORE_TABLE}/{name}") for name in packed.scores}
    return scores | {_target_name(name): _target(values) for name, values in packed.targets.items()}


def _target_name(name: str) -> str:
    """In tables "problem" would say too little."""
    return "target_problem" if name == "problem" else name


def _target(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "S":
        return np.array(_as_text(values), dtype=object)
    return _or_nan(values) if values.dtype.kind == "i" else values


#: How near models are to a reference, where there is none.
NO_TARGETS: dict[str, float | str] = {
    _target_name(column.name): "" if column.dtype.startswith("S") else math.nan for column in TARGETS
}


def ordered_scores(names: Iterable[str]) -> list[str]:
    """Optional columns in the order of tables: `SCORES`, and those of one program alone at the end."""
    return sorted(names, key=lambda name: (list(SCORES).index(name) if name in SCORES else len(SCORES), _of_one(name)))


def _of_one(name: str) -> str:
    return name if name.startswith("score_") else ""


def _or_nan(numbers: np.ndarray) -> np.ndarray:
    """Numbers from 0 on, as floats where some are missing."""
    return numbers if (numbers >= 0).all() else np.where(numbers < 0, np.nan, numbers)


def _as_text(column: np.ndarray) -> np.ndarray:
    return _column([value.decode(errors="replace") for value in column.tolist()])


def _column(texts: list[str]) -> np.ndarray:
    """Texts as an array of objects, which says that they are texts where there are none, too."""
    return np.array(texts, dtype=object)


def _sums(values: np.ndarray, pointer: np.ndarray) -> np.ndarray:
    """Sum of each model's rows."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return total[pointer[1:]] - total[pointer[:-1]]
