"""What the shards of a run have published, as tables: shards, their models, their failures."""

import csv
from typing import Any

import numpy as np
import pandas as pd

from ..errors import RunFolderError
from ..graph.timing import STAGES
from ..mpi.pool import on_all_cores
from ..rundir.folders import RunFolder, ShardFolder
from ..rundir.shard_state import Published, ShardState
from ..storage.packed_reader import PackedFile, reading
from ..storage.schema import POINTERS, SCORE_TABLE, SCORES, STATUS, TARGET_TABLE

#: Of what a model's comparison with its reference gives.
TARGETS = ("dockq", "capri_class")
MODEL_COLUMNS = (
    "shard", "model", "status", "n_atoms", "n_nodes", "n_edges", "launch", "rank", "node", "start", "seconds", *STAGES,
    "target", *SCORES, *TARGETS,
)  # fmt: skip
SHARD_COLUMNS = (
    "shard", "state", "n_inputs", "n_models", "n_ok", "n_fail", "prep_s", "annotate_s", "graphs_s", "cluster_s",
    "wall_s", "graphs_bytes", "stage", "taken", "host", "job_id", "updated",
)  # fmt: skip
FAILURE_COLUMNS = ("shard", "model", "source", "stage", "reason", "message")
#: States of shards whose models are listed in their folder.
PUBLISHED = ("done", "graphs", "unmarked")

#: Shards that one process reads at a time.
_AT_ONCE = 100

#: Columns of text, for tables without rows.
_TEXT = ("node", "job", "task", "model", "target", "status", "launch", "source", "stage", "reason", "message")


def read_shards(folder: RunFolder) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Shards, the models of those that are published, and their failures."""
    n_shards = sum(1 for _ in folder.shard_lists.glob("shard_*.lst"))
    groups = [
        [folder.shard(index) for index in range(first, min(first + _AT_ONCE, n_shards))]
        for first in range(0, n_shards, _AT_ONCE)
    ]
    rows: list[dict[str, Any]] = []
    models: list[dict[str, np.ndarray]] = []
    failures: list[list[dict[str, Any]]] = []
    for more_rows, more_models, more_failures in on_all_cores(_read_some, groups):
        rows += more_rows
        models.append(more_models)
        failures.append(more_failures)
    shards = pd.DataFrame(rows, columns=list(SHARD_COLUMNS))
    failed = pd.DataFrame([row for part in failures for row in part], columns=list(FAILURE_COLUMNS))
    return shards, _model_table(models), failed if len(failed) else concat([], FAILURE_COLUMNS)


def _read_some(shards: list[ShardFolder]) -> tuple[list[dict[str, Any]], dict[str, np.ndarray], list[dict[str, Any]]]:
    """Of some shards a row each, the columns of their published models, and the rows of their failures."""
    rows: list[dict[str, Any]] = []
    models: list[dict[str, np.ndarray]] = []
    failures: list[dict[str, Any]] = []
    for shard in shards:
        found = ShardState(shard)
        meta = found.meta
        result, wall = (meta.as_dict()["result"], meta.wall_s) if meta is not None else ({}, np.nan)
        rows.append({"n_inputs": len(shard.inputs())} | (found.progress or {}) | result | {"shard": shard.index})
        rows[-1] |= {"wall_s": wall, "state": _state(found)}
        if rows[-1]["state"] in PUBLISHED:
            try:
                models.append(_packed_models(shard))
            except RunFolderError:
                rows[-1]["state"] = "damaged"
            failures += _failures_of(shard)
    rows = [{key: row[key] for key in SHARD_COLUMNS if key in row} for row in rows]
    return rows, _behind_each_other(models), failures


def _state(shard: ShardState) -> str:
    if shard.is_marked:
        return "done" if shard.published is Published.DONE else "graphs"
    if shard.progress is not None:
        return "building"
    return "waiting" if shard.published is Published.NOTHING else "unmarked"


def _packed_models(shard: ShardFolder) -> dict[str, np.ndarray]:
    with reading(shard.packed) as packed:
        names = packed.names
        return {
            "shard": np.full(len(names), shard.index),
            "model": np.array(names, dtype=object),
            "status": packed.column("model/status"),
            "n_atoms": packed.column("model/n_atoms"),
            "n_nodes": np.diff(packed.column(POINTERS["node"])),
            "n_edges": np.diff(packed.column(POINTERS["edge"])),
            "stages": packed.column("model/seconds"),
            "target": packed.column("model/target").astype(object),
            "scores": _scores_of(packed),
        }


def _scores_of(packed: PackedFile) -> np.ndarray:
    """Those of the same name whatever program they are of; NaN where there is none. Most runs have none at all."""
    known = {name: f"{SCORE_TABLE}/{name}" for name in packed.scores}
    if packed.reference_sha256:
        known |= {name: f"{TARGET_TABLE}/{name}" for name in TARGETS}
    found = np.full((packed.n_models, len(SCORES) + len(TARGETS)), np.float32(np.nan))
    for place, name in enumerate((*SCORES, *TARGETS)):
        if name in known:
            found[:, place] = packed.column(known[name])
    found[found[:, -1] < 0, -1] = np.nan  # CAPRI's class of what could not be compared
    return found


def _behind_each_other(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} if parts else {}


def _model_table(parts: list[dict[str, np.ndarray]]) -> pd.DataFrame:
    """Models that are published, in the order of their shards."""
    columns = _behind_each_other([part for part in parts if part])
    if not columns:
        return concat([], MODEL_COLUMNS)
    stages, scores = columns.pop("stages"), columns.pop("scores")
    columns["target"] = _decoded(columns["target"])
    columns["status"] = np.array(STATUS, dtype=object)[columns["status"]]
    columns["seconds"] = stages.sum(axis=1, dtype=float)
    columns |= zip(STAGES, stages.T.astype(float), strict=True)
    columns |= zip((*SCORES, *TARGETS), scores.T, strict=True)
    return pd.DataFrame(columns).reindex(columns=MODEL_COLUMNS)


def _decoded(values: np.ndarray) -> np.ndarray:
    """Texts of bytes, of which few are different."""
    texts = {value: value.decode(errors="replace") for value in set(values.tolist())}
    return np.array([texts[value] for value in values.tolist()], dtype=object)


def _failures_of(shard: ShardFolder) -> list[dict[str, Any]]:
    try:
        text = shard.failures.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return []
    rows = list(csv.reader(text.split("\n")[:-1], delimiter="\t", quoting=csv.QUOTE_NONE))
    return [dict(zip(rows[0], row, strict=False)) | {"shard": shard.index} for row in rows[1:]]


def concat(tables: list[pd.DataFrame], columns: tuple[str, ...], keep_others: bool = False) -> pd.DataFrame:
    """The tables one below the other, with these columns even where there is none."""
    tables = [table for table in tables if not table.empty]
    if not tables:
        return pd.DataFrame({name: pd.Series(dtype=object if name in _TEXT else float) for name in columns})
    table = pd.concat(tables, ignore_index=True)
    others = [name for name in table.columns if name not in columns] if keep_others else []
    return table.reindex(columns=[*columns, *others])
