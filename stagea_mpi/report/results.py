"""What the shards of a run have published, as tables: shards, their models, their failures."""

import csv

import numpy as np
import pandas as pd

from ..errors import RunFolderError
from ..graph.timing import STAGES
from ..rundir.folders import RunFolder, ShardFolder
from ..rundir.shard_state import Published, ShardState
from ..storage.packed_reader import PackedFile
from ..storage.schema import POINTERS

MODEL_COLUMNS = (
    "shard", "model", "status", "n_atoms", "n_nodes", "n_edges", "launch", "rank", "node", "start", "seconds", *STAGES,
)  # fmt: skip
SHARD_COLUMNS = (
    "shard", "state", "n_inputs", "n_models", "n_ok", "n_fail", "prep_s", "annotate_s", "graphs_s", "cluster_s",
    "wall_s", "graphs_bytes", "stage", "taken", "host", "job_id", "updated",
)  # fmt: skip
FAILURE_COLUMNS = ("shard", "model", "source", "stage", "reason", "message")
#: States of shards whose models are listed in their folder.
PUBLISHED = ("done", "graphs", "unmarked")

#: Columns of text, for tables without rows.
_TEXT = ("node", "job", "task", "model", "status", "launch", "source", "stage", "reason", "message")


def read_shards(folder: RunFolder) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Shards, the models of those that are published, and their failures."""
    rows, models, failures = [], [], []
    for index in range(sum(1 for _ in folder.shard_lists.glob("shard_*.lst"))):
        shard = folder.shard(index)
        found = ShardState(shard)
        meta = found.meta
        result, wall = (meta.as_dict()["result"], meta.wall_s) if meta is not None else ({}, np.nan)
        rows.append({"n_inputs": len(shard.inputs())} | (found.progress or {}) | result | {"shard": index})
        rows[-1] |= {"wall_s": wall, "state": _state(found)}
        if rows[-1]["state"] in PUBLISHED:
            try:
                models.append(_packed_models(shard))
            except RunFolderError:
                rows[-1]["state"] = "damaged"
            failures.append(_failures_of(shard))
    shards = pd.DataFrame(rows, columns=list(SHARD_COLUMNS))
    return shards, concat(models, MODEL_COLUMNS), concat(failures, FAILURE_COLUMNS)


def _state(shard: ShardState) -> str:
    if shard.is_marked:
        return "done" if shard.published is Published.DONE else "graphs"
    if shard.progress is not None:
        return "building"
    return "waiting" if shard.published is Published.NOTHING else "unmarked"


def _packed_models(shard: ShardFolder) -> pd.DataFrame:
    with PackedFile(shard.packed) as packed:
        lengths = {table: np.diff(packed.column(path)) for table, path in POINTERS.items()}
        seconds = packed.column("model/seconds")
        table = pd.DataFrame(
            {
                "shard": shard.index,
                "model": packed.names,
                "status": packed.statuses,
                "n_atoms": packed.column("model/n_atoms"),
                "n_nodes": lengths["node"],
                "n_edges": lengths["edge"],
                "seconds": seconds.sum(axis=1, dtype=float),
            }
        )
        return table.assign(**dict(zip(STAGES, seconds.T.astype(float), strict=True)))


def _failures_of(shard: ShardFolder) -> pd.DataFrame:
    if not shard.failures.exists():
        return pd.DataFrame(columns=list(FAILURE_COLUMNS))
    table = pd.read_csv(shard.failures, sep="\t", quoting=csv.QUOTE_NONE, dtype=str, keep_default_na=False)
    return table.assign(shard=shard.index)


def concat(tables: list[pd.DataFrame], columns: tuple[str, ...], keep_others: bool = False) -> pd.DataFrame:
    """The tables one below the other, with these columns even where there is none."""
    tables = [table for table in tables if not table.empty]
    if not tables:
        return pd.DataFrame({name: pd.Series(dtype=object if name in _TEXT else float) for name in columns})
    table = pd.concat(tables, ignore_index=True)
    others = [name for name in table.columns if name not in columns] if keep_others else []
    return table.reindex(columns=[*columns, *others])
