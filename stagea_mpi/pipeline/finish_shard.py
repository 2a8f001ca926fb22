"""The end of a shard, on one rank: cluster the graphs, publish what Stage B reads, set the markers."""

import logging
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from ..errors import DONE as OK
from ..errors import TOO_MANY_FAILED
from ..rundir.folders import DONE, GRAPHS_DONE, ShardFolder, part_name, write_table
from ..rundir.records import publish_together
from ..storage.deeprank_writer import write_graphs
from ..storage.packed_reader import PackedFile, write_clustered
from ..telemetry.events import SILENT, EventLog
from .build_shard import Failure
from .inventory import ModelEntry

log = logging.getLogger(__name__)

FAILURE_COLUMNS = ("model", "source", "stage", "reason", "message")
MANIFEST_COLUMNS = ("label", "mol", "chain", "length", "sequence", "input_chains", "chosen")


@dataclass(frozen=True)
class Outcome:
    """What became of one shard.

    Attributes
    ----------
    shard : int
    action : str
        ``built``, ``clustered``, ``skipped``, ``stopped``, ``busy``, or ``lost`` where input files have vanished.
    n_models, n_ok : int
    exit_code : int
    message : str
        For a person, where there is something to say.
    n_noted : int
        Models whose chains are not quite what they are said to be.
    """

    shard: int
    action: str
    n_models: int = 0
    n_ok: int = 0
    exit_code: int = OK
    message: str = ""
    n_noted: int = 0


def write_lists(shard: ShardFolder, entries: list[ModelEntry], failures: list[Failure]) -> None:
    """Publishes failures.tsv and the manifest of the models that have a graph."""
    order = {entry.ref.name: i for i, entry in enumerate(entries)}
    failures = sorted(failures, key=lambda failure: order[failure.model])
    write_table(shard.failures, FAILURE_COLUMNS, ([*asdict(failure).values()] for failure in failures))
    failed = {failure.model for failure in failures}
    rows = [
        (f"{entry.ref.name}.{chain}", entry.ref.name, chain, len(sequence), sequence, side, entry.chosen)
        for entry in entries
        if entry.ref.name not in failed
        for chain, sequence, side in zip("AB", entry.sequences, entry.chains.sides(), strict=True)
    ]
    write_table(shard.manifest, MANIFEST_COLUMNS, rows)


def finish_shard(
    shard: ShardFolder,
    meta: dict[str, Any],
    phase: str,
    cluster: bool,
    max_failed_fraction: float,
    events: EventLog = SILENT,
) -> Outcome:
    """Publishes graphs.h5, the metadata and the markers of a shard whose packed.h5 is in place.

    Parameters
    ----------
    shard : ShardFolder
    meta : dict
        Metadata so far; its ``result`` is completed.
    phase : str
        ``prep_graphs`` publishes without clusters and leaves the shard to be clustered.
    cluster : bool
        Whether to cluster (never in ``prep_graphs``).
    max_failed_fraction : float
        With more failed models than this the shard gets no markers.
    events : EventLog
        Told of the clustering and of the publishing.
    """
    start = perf_counter()
    result = {"cluster_s": 0.0} | meta["result"]
    meta["result"] = result
    parts = {path: part_name(path) for path in (shard.packed, shard.graphs)}
    try:
        with PackedFile(shard.packed) as packed:
            packed.check()
            clusters, clustered = {}, packed.is_clustered or (cluster and phase != "prep_graphs")
            if packed.is_clustered:  # by an earlier start that did not come to its end
                clusters = {i: packed.clusters(i) for i, status in enumerate(packed.statuses) if status == "ok"}
            elif clustered:
                with events.timed("cluster", shard=shard.index):
                    # Only ranks that cluster need SciPy, which takes long to load.
                    from ..graph.clustering import cluster_two_depths

                    clusters = {
                        i: cluster_two_depths(len(graph), graph.internal.nodes) for i, _, graph in packed.graphs()
                    }
                with events.timed("publish", shard=shard.index) as published:
                    write_clustered(packed, parts[shard.packed], clusters)
                    published["bytes"] = parts[shard.packed].stat().st_size
                result["cluster_s"] = round(perf_counter() - start, 3)
            with events.timed("publish", shard=shard.index) as published:
                models = ((name, graph, clusters.get(i)) for i, name, graph in packed.graphs())
                published["bytes"] = result["graphs_bytes"] = write_graphs(str(parts[shard.graphs]), models)
        publish_together(shard, meta, {path: part for path, part in parts.items() if part.exists()})
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    meta["do_cluster"] = clustered
    meta["stagea_phase"] = phase
    meta["wall_s"] = round(meta["wall_s"] + perf_counter() - start, 3)
    shard.write_meta(meta)
    n_models, n_ok, n_noted = result["n_models"], result["n_ok"], result.get("n_noted", 0)
    if result["n_fail"] > max_failed_fraction * n_models:
        message = (
            f"{shard.name}: {result['n_fail']} of {n_models} models failed, more than max_failed_fraction = "
            f"{max_failed_fraction:g} allows; see {shard.failures}. The shard is not marked as done; "
            "mend the models, or raise max_failed_fraction"
        )
        log.error(message)
        return Outcome(shard.index, "built", n_models, n_ok, TOO_MANY_FAILED, message, n_noted)
    shard.mark(GRAPHS_DONE)
    if phase != "prep_graphs":
        shard.mark(DONE)
    action = "clustered" if phase == "cluster_only" else "built"
    return Outcome(shard.index, action, n_models, n_ok, n_noted=n_noted)
