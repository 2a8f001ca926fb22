"""Targets of a run that is there already: its models are compared with a reference, and no graph is built again."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..config.references import ReferenceTable
from ..config.run_config import RunConfig, parse_config
from ..errors import ConfigError, ModelError, RunFolderError, StageAError
from ..inputs import RunNames
from ..mpi.communicator import Communicator
from ..mpi.guard import StopRequest, raise_on_any_rank
from ..mpi.teams import SerialComm
from ..mpi.worker import WorkerProcess
from ..rundir.folders import RunFolder, ShardFolder, draft_name
from ..rundir.lock import ShardLock
from ..rundir.numbering_cache import NumberingCache
from ..rundir.records import input_hash, mismatch, publish_together, recorded_files
from ..rundir.shard_judge import changed_files
from ..rundir.shard_meta import ShardMeta
from ..rundir.shard_state import Published, ShardState
from ..storage.packed_copy import write_targets
from ..storage.packed_reader import PackedFile
from ..storage.packed_writer import as_bytes
from ..storage.schema import TARGETS
from .beside import model_worker
from .build_shard import too_large
from .comparison import Comparison
from .compute_model import compare_model, not_compared
from .each_shard import ShardWork, Summary, each_shard, params_of
from .finish_shard import known_clusters, write_graphs_of
from .inventory import ModelEntry, list_shard, with_domains
from .references import References, prepare, reference_facts
from .shared_numbering import Numbering
from .versions import numbering_versions


def score_reference(
    comm: Communicator,
    folder: RunFolder,
    stated: Callable[[], ReferenceTable | None],
    shards: tuple[int, ...] | None,
    stop: StopRequest,
) -> Summary:
    """Compares the models of a run with references and writes their targets; collective.

    Parameters
    ----------
    comm : communicator
    folder : RunFolder
    stated : callable
        Gives the references, or None for those that the run's own configuration states; called on the first rank.
    shards, stop
        As in `each_shard`.

    Raises
    ------
    ConfigError
        A reference cannot be used, or none is stated.
    RunFolderError, StorageError
        As in `each_shard`.
    """
    error: StageAError | None = None
    found: Any = None
    if comm.rank == 0:
        try:
            found = _configuration(folder, stated())
        except StageAError as problem:
            error = problem
    raise_on_any_rank(comm, error)
    config, known, params, versions = comm.bcast(found)
    with model_worker() as worker:
        references = prepare(comm, known, worker)
        cache = NumberingCache(folder.numberings, versions)
        cache.load()
        compared = Comparing(references, config, RunNames(params), cache, worker)
        return each_shard(comm, folder, shards, stop, compared)


def _configuration(
    folder: RunFolder, table: ReferenceTable | None
) -> tuple[RunConfig, ReferenceTable, dict[str, Any], str]:
    """The run's configuration, the references, how the run is split, and versions of what numbers."""
    params = params_of(folder)
    content = folder.read_config()
    if not content:
        raise RunFolderError(f"{folder.config}: is missing; run the run again, which writes it anew")
    content.pop("versions", None)
    if table is not None:
        content.pop("reference", None)  # which may be gone
    config = parse_config(content, str(folder.config), {})
    known = table or config.reference
    if known is None:
        raise ConfigError(
            f"{folder.config}: no reference is stated; name the known complex as --reference FILE, or --config with a "
            "run.yaml that has one"
        )
    return config, known, params, numbering_versions()


class Comparing(ShardWork):
    """Compares a shard's models and writes packed.h5 anew with their targets, and graphs.h5 where there is one.

    Parameters
    ----------
    references : References
    config : RunConfig
        That of the run.
    names : RunNames
    cache : NumberingCache
        Numbered sequences of the run.
    worker : WorkerProcess
        Where this rank reads models.
    """

    again = "score"
    done = (Published.GRAPHS, Published.DONE)

    def __init__(
        self,
        references: References,
        config: RunConfig,
        names: RunNames,
        cache: NumberingCache,
        worker: WorkerProcess,
    ):
        self._references, self._config, self._names = references, config, names
        self._numbering = Numbering(SerialComm(), cache, worker=worker)
        self._worker = worker

    def has_it(self, state: ShardState, meta: ShardMeta) -> bool:
        """Whether the targets are those of the references, and all files are there by their sizes."""
        if (meta.reference or {}).get("sha256") != self._references.sha256:
            return False
        files = recorded_files(state.shard, meta)
        return all(mismatch(path, meta, sizes_only=True) is None for path in files)

    def may_lack(self, shard: ShardFolder) -> tuple[Path, ...]:
        return ()

    def replaces(self, shard: ShardFolder) -> tuple[Path, ...]:
        return shard.packed, shard.graphs

    def write(self, shard: ShardFolder, meta: ShardMeta, lock: ShardLock) -> None:
        entries = self._entries(shard, meta)
        found = [self._compared(entry) for entry in entries]
        self._numbering.forget()
        packed_draft, graphs_draft = draft_name(shard.packed), draft_name(shard.graphs)
        drafts = {shard.packed: packed_draft}
        try:
            with PackedFile(shard.packed) as packed:
                packed.check()
                if packed.names != [entry.ref.name for entry in entries]:
                    raise RunFolderError(f"{shard.packed}: its models are not those of {shard.list_path}")
                write_targets(packed, packed_draft, _columns(found), self._references.sha256)
                meta.do_cluster = packed.is_clustered
            if not meta.is_without_graphs:
                drafts[shard.graphs] = graphs_draft
                with PackedFile(packed_draft) as packed:
                    meta.result.graphs_bytes = write_graphs_of(packed, graphs_draft, known_clusters(packed))
            meta.reference = reference_facts(self._references)
            lock.check()
            publish_together(shard, meta, drafts)
        finally:
            for draft in drafts.values():
                draft.unlink(missing_ok=True)
        meta.write(shard)

    def _entries(self, shard: ShardFolder, meta: ShardMeta) -> list[ModelEntry]:
        """The shard's models with their chains, as its run has found them.

        Raises
        ------
        RunFolderError
            The input or the chains are no longer those of the graphs.
        """
        config, comm = self._config, SerialComm()
        known, now = meta.numerics.get("chains"), config.chains.fingerprint()
        if known != now:
            raise RunFolderError(
                f"{shard.path}: its graphs were made with the chains {known!r}, and {config.run_root}/run.yaml has "
                f"{now!r}; run the run again with one of the two, then score again"
            )
        files = [(path, self._names.of(path)) for path in shard.inputs()]
        timeout = config.stage_a.model_timeout_s
        entries = list_shard(comm, files, config.chains, self._numbering, timeout, self._worker)
        digests = [(entry.ref.path, entry.ref.name, entry.digest) for entry in entries]
        if input_hash(*([digest[k] for digest in digests] for k in range(3))) != meta.inputs_sha256:
            raise RunFolderError(
                f"{shard.path}: its graphs were made from other input: {changed_files(shard, digests)}. Restore it, or "
                "compute the shard again (run --force)"
            )
        return with_domains(entries, self._numbering)

    def _compared(self, entry: ModelEntry) -> Comparison:
        stage_a = self._config.stage_a
        failure = entry.failure or too_large(entry, stage_a.model_max_atoms)
        if failure is not None:
            return not_compared(failure)
        reference, timeout = self._references.for_model(entry.ref), stage_a.model_timeout_s
        try:
            found: Comparison = self._worker.call(timeout, compare_model, entry, timeout, reference)
            return found
        except ModelError as problem:  # of the worker process
            return not_compared(problem)


def _columns(found: list[Comparison]) -> dict[str, np.ndarray]:
    """Targets by name, a row for each model."""
    rows = [dataclasses.asdict(comparison) for comparison in found]
    columns = {}
    for column in TARGETS:
        values = [row[column.name] for row in rows]
        columns[column.name] = np.array([as_bytes(v) if isinstance(v, str) else v for v in values], dtype=column.dtype)
    return columns
