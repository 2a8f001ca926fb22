"""A team of ranks at work on shards: what each shard needs, and who does it."""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from ..config.chains import chains_as_dict
from ..config.run_config import RunConfig
from ..errors import DONE as OK
from ..errors import FAILED, RunFolderError, ShardBusyError, StageAError
from ..inputs import FileNames, RunNames
from ..mpi.guard import StopRequest, raise_on_any_rank
from ..mpi.worker import WorkerProcess
from ..rundir.checksums import hash_of
from ..rundir.folders import GRAPHS_DONE, RunFolder, ShardFolder, part_name, publish
from ..rundir.lock import ShardLock, holder_of
from ..rundir.numbering_cache import NumberingCache
from ..rundir.records import input_hash, record, unpublish
from ..rundir.shard_state import Published, changed_files, stat_hash
from ..scheduler import this_job
from ..storage.schema import root_attributes
from ..telemetry.events import SILENT, EventLog
from .build_shard import Failure, build_shard
from .compute_model import WORKER_IMPORTS
from .finish_shard import Outcome, finish_shard, write_lists
from .inventory import ModelEntry, list_shard, with_domains
from .progress import Progress, job_of_this_process, write_progress
from .shared_numbering import Numbering
from .versions import numbering_versions, versions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What the command line adds to the configuration.

    Attributes
    ----------
    cluster : bool
    force : bool
        Compute again what is published from another input or under other settings.
    shards : tuple of int or None
        Which shards to run; None for all.
    share : (int, int) or None
        Which share of the shards, and of how many; the run has been cut for this, and its input is not listed again.
    """

    cluster: bool = True
    force: bool = False
    shards: tuple[int, ...] | None = None
    share: tuple[int, int] | None = None


@dataclass
class _Job:
    """A shard that the team's first rank has still to finish."""

    shard: ShardFolder
    lock: ShardLock
    meta: dict[str, Any]


class Team:
    """The ranks that work on one shard together.

    Methods are collective, but for those that start with ``root``: these run on the team's first rank, which alone
    touches the shard's folder, and which clusters and publishes a shard while the others build the graphs of the next
    one.
    """

    def __init__(
        self, comm, index: int, folder: RunFolder, config: RunConfig, options: Options, params: dict, stop: StopRequest,
        events: EventLog = SILENT,
    ):  # fmt: skip
        self.comm, self.index, self.folder = comm, index, folder
        self.config, self.options, self.params, self.stop, self.events = config, options, params, stop, events
        self.names = RunNames(params)
        cache = NumberingCache(folder.annotations, numbering_versions())
        cache.load()
        name = f"team_{index:04d}_{this_job().array_task or 0}"
        self.numbering = Numbering(comm, cache, config.stage_a.anarci_parallel_batches, name, events)
        self.progress = Progress(config.stage_a.graph_writer_log_every_s, show_bar=index == 0)
        self.worker = WorkerProcess(WORKER_IMPORTS)
        self.published = Published(config, folder.root, wants_clusters=options.cluster)
        self.outcomes: list[Outcome] = []
        self._pending: _Job | None = None
        self._lock: ShardLock | None = None

    @property
    def is_root(self) -> bool:
        return self.comm.rank == 0

    def work(self, shards: Iterator[int]) -> list[Outcome]:
        """Runs shards one after the other; their outcomes are whole on the first rank."""
        try:
            if self.config.phase != "cluster_only":
                self.worker.set_up()
            for index in self.events.waiting_for(shards, on="lead"):
                self.events.shard = index
                self._run_shard(self.folder.shard(index))
            self.root_finish_pending()
        finally:
            self.worker.stop()
            self._root_release_all()
        return self.outcomes

    def _run_shard(self, shard: ShardFolder) -> None:
        start = perf_counter()
        files = self._on_root(self.root_open, shard)
        if files is None:
            return
        with self.events.timed("list", files=len(files)):
            timeout = self.config.stage_a.model_timeout_s
            entries = list_shard(self.comm, files, self.config.chains, self.numbering, timeout, self.worker)
        meta = self._on_root(self.root_decide, shard, entries)
        if meta is None:
            return
        meta["result"]["prep_s"] = round(perf_counter() - start, 3)
        self._build(shard, entries, meta)

    def _on_root(self, action, *args):
        """Runs something on the first rank and gives its result, or raises its error, on all."""
        result, error = None, None
        with self.events.timed("prep") if self.is_root else self.events.timed("wait", on="lead"):
            if self.is_root:
                try:
                    result = action(*args)
                except StageAError as found:
                    error = found
            raise_on_any_rank(self.comm, error)
            return self.comm.bcast(result)

    def _build(self, shard: ShardFolder, entries: list[ModelEntry], meta: dict[str, Any]) -> None:
        start = perf_counter()
        entries = with_domains(entries, self.numbering)
        meta["result"]["annotate_s"] = round(perf_counter() - start, 3)
        part = self.comm.bcast(part_name(shard.packed))
        attributes = root_attributes(json.dumps(versions()), meta["science_sha256"], meta["inputs_sha256"])
        if self.is_root:
            self.progress.begin(shard, self._lock, len(entries))
        report = build_shard(
            self.comm, entries, self.config, part, attributes, self.stop,
            on_model=self.progress.models if self.is_root else lambda taken, n, failed: None,
            before=self.root_finish_pending, events=self.events, worker=self.worker,
        )  # fmt: skip
        if self.is_root:
            self.progress.end()
            meta["wall_s"] = round(perf_counter() - start + meta["result"]["prep_s"], 3)
            with self.events.timed("publish"):
                self.root_publish_packed(shard, entries, meta, report, part)
        self.numbering.forget()

    def root_open(self, shard: ShardFolder) -> list[tuple[str, FileNames]] | None:
        """Locks a shard and returns its files with the names of their models; None where there is nothing to read."""
        if not shard.path.is_dir():
            shard.path.mkdir(parents=True)
        paths = shard.inputs()
        if not self.options.force and self.published.is_up_to_date(shard, shard.read_meta(), paths):
            self._root_tidy(shard)
            self._root_skip(shard, shard.read_meta())
            return None
        self._lock = ShardLock(shard.path)
        try:
            self._lock.acquire()
        except ShardBusyError as error:
            log.warning("%s", error)
            self.outcomes.append(Outcome(shard.index, "busy", exit_code=FAILED, message=str(error)))
            return None
        shard.remove_parts()
        meta = None if self.options.force else self.published.metadata(shard)
        if meta is not None and self.published.is_up_to_date(
            shard, meta, paths
        ):  # another run was at it until just now
            self._root_skip(shard, meta)
            self._lock.release()
            return None
        clusters_only = self.config.phase == "cluster_only"  # and then the input does not matter any more
        if meta is not None and (clusters_only or meta.get("inputs_stat_sha256") == stat_hash(paths)):
            self._root_queue(shard, meta)
            return None
        if clusters_only:
            raise RunFolderError(
                f"{shard.path}: there are no graphs to cluster; "
                "run `python -m stagea_mpi run` with --phase prep_graphs (or full) first"
            )
        return [(path, self.names.of(path)) for path in paths]

    def root_decide(self, shard: ShardFolder, entries: list[ModelEntry]) -> dict[str, Any] | None:
        """The metadata to build a shard with; None where what is published is still good."""
        digests = [(entry.ref.path, entry.ref.name, entry.digest) for entry in entries]
        inputs = input_hash(*zip(*digests, strict=True)) if digests else input_hash((), (), ())
        published = None if self.options.force else self.published.metadata(shard)
        if published is not None:
            if published["inputs_sha256"] == inputs:
                published["inputs_stat_sha256"] = stat_hash(shard.inputs())  # touched, but of the same content
                if self.published.is_complete(shard, published):
                    shard.write_meta(published)
                    self._root_skip(shard, published)
                    self._lock.release()
                else:
                    self._root_queue(shard, published)
                return None
            if shard.has(GRAPHS_DONE):
                raise RunFolderError(
                    f"{shard.path}: its graphs were made from other input: {changed_files(shard, digests)}. "
                    "Restore it, choose another run_root, or start with --force to compute the shard again"
                )
        numerics = self.published.numerics()
        return {
            "stage": "A",
            "shard_id": shard.name,
            "shard_list": str(shard.list_path),
            "chains": chains_as_dict(self.config.chains),
            "num_cores": self.comm.size,
            "do_cluster": False,
            "stagea_phase": self.config.phase,
            "result": {"shard_id": shard.name, "n_inputs": len(shard.inputs())},
            "science": numerics,
            "science_sha256": hash_of(numerics),
            "inputs_sha256": inputs,
            "inputs_stat_sha256": stat_hash(shard.inputs()),
            "versions": versions(),
        }

    def root_publish_packed(self, shard, entries: list[ModelEntry], meta: dict[str, Any], report, part) -> None:
        """Publishes what all ranks have written, the lists first, and queues the shard for its end."""
        n_models = len(entries)
        vanished = _vanished(entries, {failure.model for failure in report.failures})
        if report.stopped:
            who = self.stop.signal.name if self.stop else "a signal"
            self._root_drop(shard, part, n_models, "stopped", f"stopped by {who} before all models were built")
            return
        if vanished:
            message = f"{', '.join(vanished[:5])}: has vanished since the shard was listed; put it back and run again"
            self._root_drop(shard, part, n_models, "lost", message, FAILED)
            return
        meta["result"] |= {
            "n_models": n_models,
            "n_ok": n_models - len(report.failures),
            "n_fail": len(report.failures),
            "n_noted": _n_noted(entries, report.failures),
            "graphs_s": round(report.graphs_s, 3),
        }
        with publish(shard.packed, part):
            self._lock.check()
            unpublish(shard)  # what an earlier run has published stays until the new files are whole
            write_lists(shard, entries, report.failures)
            files = {shard.packed: part, shard.manifest: shard.manifest, shard.failures: shard.failures}
            meta["files"] = {path.name: record(content) for path, content in files.items()}
            shard.write_meta(meta)
        self._root_queue(shard, meta)

    def _root_drop(self, shard: ShardFolder, part, n_models: int, action: str, message: str, code: int = OK) -> None:
        """Leaves a shard to be built by another run."""
        part.unlink(missing_ok=True)
        self.progress.write("stopped", taken=0)
        self._lock.release()
        self.outcomes.append(Outcome(shard.index, action, n_models, 0, code, f"{shard.name}: {message}"))

    def root_finish_pending(self) -> None:
        """Clusters and publishes the shard that is waiting for it."""
        if self._pending is None:
            return
        job, self._pending = self._pending, None
        stage = self.config.stage_a
        job.meta |= job_of_this_process()
        result = job.meta["result"]
        job.lock.check()
        write_progress(job.shard, job.lock, "finishing", n_models=result["n_models"], failed=result["n_fail"])
        outcome = finish_shard(
            job.shard, job.meta, self.config.phase, self.options.cluster, stage.max_failed_fraction, self.events
        )
        self.outcomes.append(outcome)
        job.shard.progress.unlink(missing_ok=True)
        job.lock.release()

    def _root_release_all(self) -> None:
        for lock in (self._lock, self._pending and self._pending.lock):
            if lock is not None:
                lock.release()

    def _root_queue(self, shard: ShardFolder, meta: dict[str, Any]) -> None:
        self.root_finish_pending()
        self._pending = _Job(shard, self._lock, meta)

    def _root_tidy(self, shard: ShardFolder) -> None:
        """Removes what a killed run has left in a shard that is done, as one with --force does."""
        if holder_of(shard.path) is None and not shard.parts():
            return
        lock = ShardLock(shard.path)
        try:
            lock.acquire()
        except ShardBusyError as error:
            log.info("%s is done, and done again: %s", shard.name, error)
            return
        shard.remove_parts()
        shard.progress.unlink(missing_ok=True)
        lock.release()

    def _root_skip(self, shard: ShardFolder, meta: dict[str, Any]) -> None:
        result = meta["result"]
        log.info("%s: done already", shard.name)
        outcome = Outcome(shard.index, "skipped", result["n_models"], result["n_ok"], n_noted=result.get("n_noted", 0))
        self.outcomes.append(outcome)


def _n_noted(entries: list[ModelEntry], failures: list[Failure]) -> int:
    """How many of the models that have a graph have something odd about their chains."""
    failed = {failure.model for failure in failures}
    return sum(bool(entry.notes) for entry in entries if entry.ref.name not in failed)


def _vanished(entries: list[ModelEntry], failed: set[str]) -> list[str]:
    """Files that are no longer there, and whose models therefore failed: nothing is known of these models."""
    paths = dict.fromkeys(entry.ref.path for entry in entries if entry.ref.name in failed)
    return [path for path in paths if not os.path.lexists(path)]
