"""What the parts of a run have cost, from its events: what simulations of other runs start from."""

import contextlib
import os

import numpy as np
import pandas as pd

from ..errors import RunFolderError
from ..pipeline.simulation import StageCosts
from ..rundir.folders import RunFolder
from . import measures
from .tables import Telemetry

#: Quantiles of the models' seconds that are kept.
_QUANTILES = 101
#: Shards whose files are looked at for the sizes of input and output.
_MOST_SHARDS = 4


def stage_costs(run: Telemetry) -> StageCosts:
    """The costs of a run's last start that computed models and finished shards.

    Sharpest from a run on one rank, whose seconds hold no waiting: on more, reading and writing count what ranks wait
    for each other meanwhile.

    Parameters
    ----------
    run : Telemetry

    Raises
    ------
    RunFolderError
        The run has no events of models.
    """
    starts = measures.launches(run)
    computing = starts[starts["models"] > 0]
    if computing.empty:
        raise RunFolderError(f"{run.root}: holds no events of models; let a run compute some, with its telemetry kept")
    launch = computing["launch"].iloc[-1]
    models = run.models[(run.models["launch"] == launch) & run.models["start"].notna()]
    events = run.events[run.events["launch"] == launch]
    own = events.groupby("stage")["own_s"].sum()
    n_models, n_shards = len(models), models["shard"].nunique()
    finish = events[events["stage"] == "finish"]
    finished_s = float((finish["seconds"] - finish["own_s"]).sum())  # clusters and files inside it
    if finish.empty:
        finished_s = float(own.get("cluster", 0.0) + own.get("publish", 0.0))
    published_s = float(own.get("cluster", 0.0) + own.get("publish", 0.0)) - finished_s
    once_s, number_s = _numbering(events, models)
    steps = np.quantile(models["seconds"].to_numpy() + _between(models), np.linspace(0.0, 1.0, _QUANTILES))
    return StageCosts(
        model_s=tuple(steps.tolist()),
        list_s=float(own.get("list", 0.0)) / n_models + number_s,
        write_s=float(own.get("exchange", 0.0) + own.get("write", 0.0)) / n_models,
        finish_s=finished_s / n_models,
        open_s=float(own.get("prep", 0.0)) / n_shards,
        publish_s=(published_s + float(own.get("open", 0.0) + own.get("close", 0.0))) / n_shards,
        finish_shard_s=float(finish["own_s"].sum()) / n_shards,
        startup_s=float(events.loc[events["stage"] == "startup", "seconds"].median()),
        number_s=once_s,
        **_bytes(RunFolder(run.root), sorted(set(models["shard"].astype(int)))[:_MOST_SHARDS]),
    )


def _between(models: pd.DataFrame) -> float:
    """Seconds from a model's end to the next one's start on a rank, on average: no stage accounts for them."""
    order = models.sort_values(["rank", "start"])
    same = (order["rank"] == order["rank"].shift()) & (order["shard"] == order["shard"].shift())
    gaps = order["start"] - (order["start"] + order["seconds"]).shift()
    return float(gaps[same].clip(lower=0.0).mean()) if same.any() else 0.0


def _numbering(events: pd.DataFrame, models: pd.DataFrame) -> tuple[float, float]:
    """Seconds of numbering that a team spends once, in its first shard, and those that each model costs beyond."""
    noted = events[events["stage"] == "annotate"].sort_values("start")
    if noted.empty:
        return 0.0, 0.0
    by_shard = noted.groupby(["process", "shard"], sort=False, as_index=False)["own_s"].sum()
    first = by_shard.groupby("process").cumcount() == 0
    n_models = by_shard["shard"].map(models["shard"].value_counts()).fillna(0.0)
    later = n_models[~first].sum()
    a_model = float(by_shard.loc[~first, "own_s"].sum() / later) if later else 0.0
    once = by_shard.loc[first, "own_s"] - a_model * n_models[first]
    return max(0.0, float(once.mean())), a_model


def _bytes(folder: RunFolder, shards: list[int]) -> dict[str, float]:
    """Bytes of a model in the files of some shards; 0 of those that are gone."""
    totals = dict.fromkeys(("read_bytes", "packed_bytes", "graphs_bytes"), 0)
    n_files = 0
    for shard in map(folder.shard, shards):
        with contextlib.suppress(RunFolderError, OSError):
            paths = shard.inputs()
            n_files += len(paths)
            for path in paths:
                with contextlib.suppress(OSError):
                    totals["read_bytes"] += os.stat(path).st_size
            totals["packed_bytes"] += shard.packed.stat().st_size
            totals["graphs_bytes"] += shard.graphs.stat().st_size if shard.graphs.exists() else 0
    return {name: total / max(n_files, 1) for name, total in totals.items()}
