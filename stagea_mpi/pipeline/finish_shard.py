"""The end of a shard, on one rank: cluster the graphs, publish what Stage B reads, set the markers."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..config.run_config import RunConfig
from ..errors import DONE as OK
from ..errors import TOO_MANY_FAILED
from ..graph.clustering import cluster_two_depths
from ..rundir.folders import DONE, GRAPHS_DONE, ShardFolder, draft_name, table_bytes, write_together
from ..rundir.records import publish_together
from ..rundir.shard_meta import ShardMeta, ShardResult
from ..storage.deeprank_writer import Scores, score_datasets, write_graphs
from ..storage.packed_copy import write_clustered
from ..storage.packed_reader import PackedFile
from ..telemetry.events import EventLog
from .build_shard import Failure
from .inventory import ModelEntry

log = logging.getLogger(__name__)

#: By index of a model: its labels of depth 0 and of depth 1.
Clusters = dict[int, tuple[np.ndarray, np.ndarray]]

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
    n_unscored : int
        Models of which a score could not be read.
    """

    shard: int
    action: str
    n_models: int = 0
    n_ok: int = 0
    exit_code: int = OK
    message: str = ""
    n_noted: int = 0
    n_unscored: int = 0


def lists_of(shard: ShardFolder, entries: list[ModelEntry], failures: list[Failure]) -> dict[Path, bytes]:
    """By path what failures.tsv holds, and the manifest of the models that have a graph."""
    order = {entry.ref.name: i for i, entry in enumerate(entries)}
    failures = sorted(failures, key=lambda failure: order[failure.model])
    lines = ([*asdict(failure).values()] for failure in failures)
    failed = {failure.model for failure in failures}
    rows = [
        (f"{entry.ref.name}.{chain}", entry.ref.name, chain, len(sequence), sequence, side, entry.chosen)
        for entry in entries
        if entry.ref.name not in failed and entry.chains is not None
        for chain, sequence, side in zip("AB", entry.sequences, entry.chains.sides(), strict=True)
    ]
    return {
        shard.failures: table_bytes(FAILURE_COLUMNS, lines, gzipped=False),
        shard.manifest: table_bytes(MANIFEST_COLUMNS, rows, gzipped=True),
    }


def finish_shard(shard: ShardFolder, meta: ShardMeta, config: RunConfig, cluster: bool, events: EventLog) -> Outcome:
    """Publishes graphs.h5, the metadata and the markers of a shard whose packed.h5 is in place.

    Without `write_graphs` no new graphs.h5 is made; one that is there is kept, and gets clusters when packed.h5 does.

    Parameters
    ----------
    shard : ShardFolder
    meta : ShardMeta
        Metadata so far; they are completed.
    config : RunConfig
        Its phase ``prep_graphs`` publishes without clusters and leaves the shard to be clustered. With more failed
        models than its `max_failed_fraction` the shard gets no markers. See `write_graphs` above.
    cluster : bool
        Whether to cluster (never in ``prep_graphs``).
    events : EventLog
        Receives the clustering and the publishing.
    """
    start, meta.result.cluster_s = perf_counter(), meta.result.cluster_s or 0.0
    drafts, written = {path: draft_name(path) for path in (shard.packed, shard.graphs)}, []
    has_graphs = shard.graphs.name in meta.files and shard.graphs.exists()
    try:
        with PackedFile(shard.packed) as packed:
            packed.check()
            meta.reference = _reference_of(packed, meta)
            clusters = known_clusters(packed)
            if clusters is None and cluster and config.phase != "prep_graphs":
                with events.timed("cluster", shard=shard.index):
                    clusters = _find_clusters(packed)
                with events.timed("publish", shard=shard.index) as published:
                    written.append(shard.packed)
                    published["bytes"] = write_clustered(packed, drafts[shard.packed], clusters)
                meta.result.cluster_s = round(perf_counter() - start, 3)
            if config.stage_a.write_graphs or has_graphs:
                written.append(shard.graphs)
                with events.timed("publish", shard=shard.index) as published:
                    size = write_graphs_of(packed, drafts[shard.graphs], clusters)
                    published["bytes"] = meta.result.graphs_bytes = size
            else:
                meta.files.pop(shard.graphs.name, None)  # somebody may have removed it
                meta.result.graphs_bytes = 0
        publish_together(shard, meta, {path: drafts[path] for path in written})
    except BaseException:
        for path in written:
            drafts[path].unlink(missing_ok=True)
        raise
    meta.do_cluster, meta.stagea_phase = clusters is not None, config.phase
    meta.wall_s = round(meta.wall_s + perf_counter() - start, 3)
    outcome, markers = _judged(shard, meta.result, config)
    # The metadata vouch for the files until then as well: they may come to disk together with the markers.
    write_together([(shard.meta, meta.as_bytes()), *shard.marks(*markers)])
    return outcome


def _reference_of(packed: PackedFile, meta: ShardMeta) -> dict[str, Any] | None:
    """`ShardMeta.reference`, where a process has ended before it could write the targets that the metadata speak of."""
    found = packed.reference_sha256
    if (meta.reference or {}).get("sha256", "") == found:
        return meta.reference
    return {"sha256": found} if found else None


def known_clusters(packed: PackedFile) -> Clusters | None:
    """Clusters that are in packed.h5 already; None where there are none."""
    if not packed.is_clustered:
        return None
    return {i: packed.clusters(i) for i, status in enumerate(packed.statuses) if status == "ok"}


def _find_clusters(packed: PackedFile) -> Clusters:
    return {i: cluster_two_depths(n_nodes, pairs) for i, n_nodes, pairs in packed.internal_edges()}


def write_graphs_of(packed: PackedFile, draft: Path, clusters: Clusters | None) -> int:
    """Writes graphs.h5; how many bytes it has."""
    labels = clusters or {}
    models = ((name, graph, labels.get(i)) for i, name, graph in packed.graphs())
    return write_graphs(str(draft), models, scores_of(packed))


def scores_of(packed: PackedFile) -> dict[str, Scores]:
    """By name what graphs.h5 has of the models' targets; empty without a reference."""
    columns = packed.targets
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    compared = (score_datasets(dict(zip(columns, row, strict=True))) for row in rows)
    return dict(zip(packed.names, compared, strict=True)) if columns else {}


def _judged(shard: ShardFolder, result: ShardResult, config: RunConfig) -> tuple[Outcome, tuple[str, ...]]:
    """What became of a shard, and the markers that it gets: none where too many models have failed."""
    n_models, n_ok, noted = result.n_models, result.n_ok, (result.n_noted or 0, result.n_unscored or 0)
    allowed = config.stage_a.max_failed_fraction
    if result.n_fail > allowed * n_models:
        message = (
            f"{shard.name}: {result.n_fail} of {n_models} models failed, more than max_failed_fraction = "
            f"{allowed:g} allows; see {shard.failures}. The shard is not marked as done; "
            "mend the models, or raise max_failed_fraction"
        )
        log.error(message)
        return Outcome(shard.index, "built", n_models, n_ok, TOO_MANY_FAILED, message, *noted), ()
    markers = (GRAPHS_DONE,) if config.phase == "prep_graphs" else (GRAPHS_DONE, DONE)
    action = "clustered" if config.phase == "cluster_only" else "built"
    return Outcome(shard.index, action, n_models, n_ok, OK, "", *noted), markers
