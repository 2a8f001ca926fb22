"""A team of ranks at work on shards: what each shard needs, and who does it."""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from .annotation import Domain
from .building import annotate, build_shard
from .config import RunConfig, chains_as_dict
from .errors import DONE as OK
from .errors import FAILED, PASSING, RunFolderError, ShardBusyError, StageAError
from .finishing import Outcome, finish_shard, write_lists
from .inputs import FileNames, RunNames
from .listing import ModelEntry, list_shard
from .parallel.guard import StopRequest, agree
from .progress import Progress, this_job, write_progress
from .store.annotations import CAPACITY, AnnotationCache
from .store.columns import SCHEMA_VERSION, root_attributes
from .store.lock import ShardLock, holder_of
from .store.packed import PackedFile
from .store.records import complaint, hash_of, input_hash, published_files, record, withdraw
from .store.rundir import DONE, GRAPHS_DONE, RunFolder, ShardFolder, part_name, publish, write_json
from .telemetry.events import SILENT, EventLog
from .versions import numbering_versions, versions
from .workbench import Workbench

log = logging.getLogger(__name__)

#: Whose definitions the features follow; graphs made under others are not mixed with these.
FEATURES = "deeprank-ab 1.0.2"


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

    Methods are collective, but for those that start with ``lead``: these run on the team's first rank, which alone
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
        self.cache = AnnotationCache(folder.annotations, numbering_versions())
        self.cache.load()
        self.domains: dict[str, tuple[Domain, ...]] = {}
        self.progress = Progress(config.stage_a.graph_writer_log_every_s, show_bar=index == 0)
        self.bench = Workbench()
        self.outcomes: list[Outcome] = []
        self._pending: _Job | None = None
        self._lock: ShardLock | None = None

    @property
    def leads(self) -> bool:
        return self.comm.rank == 0

    def work(self, shards: Iterator[int]) -> list[Outcome]:
        """Runs shards one after the other; their outcomes are whole on the first rank."""
        try:
            if self.config.phase != "cluster_only":
                self.bench.set_up()
            for index in self.events.waiting_for(shards, on="lead"):
                self.events.shard = index
                self._run_shard(self.folder.shard(index))
            self.lead_finish_pending()
        finally:
            self.bench.clear()
            self._lead_release_all()
        return self.outcomes

    def _run_shard(self, shard: ShardFolder) -> None:
        start = perf_counter()
        files = self._on_lead(self.lead_open, shard)
        if files is None:
            return
        with self.events.timed("list", files=len(files)):
            entries = list_shard(self.comm, files, self.config.chains, self.domains)
        meta = self._on_lead(self.lead_decide, shard, entries)
        if meta is None:
            return
        meta["result"]["prep_s"] = round(perf_counter() - start, 3)
        self._build(shard, entries, meta)

    def _on_lead(self, action, *args):
        """Runs something on the first rank and gives its result, or raises its error, on all."""
        result, error = None, None
        with self.events.timed("prep") if self.leads else self.events.timed("wait", on="lead"):
            if self.leads:
                try:
                    result = action(*args)
                except StageAError as found:
                    error = found
            agree(self.comm, error)
            return self.comm.bcast(result)

    def _build(self, shard: ShardFolder, entries: list[ModelEntry], meta: dict[str, Any]) -> None:
        start = perf_counter()
        cache_name = f"team_{self.index:04d}_{os.environ.get('SLURM_ARRAY_TASK_ID', '0')}"
        annotate(self.comm, entries, self.cache, self.config.stage_a.anarci_parallel_batches, cache_name, self.events)
        meta["result"]["annotate_s"] = round(perf_counter() - start, 3)
        part = self.comm.bcast(part_name(shard.packed))
        attributes = root_attributes(json.dumps(versions()), meta["science_sha256"], meta["inputs_sha256"])
        if self.leads:
            self.progress.begin(shard, self._lock, len(entries))
        report = build_shard(
            self.comm, entries, self.config, self.cache, part, attributes, self.stop,
            on_model=self.progress.models if self.leads else lambda taken, n, failed: None,
            before=self.lead_finish_pending, events=self.events, bench=self.bench,
        )  # fmt: skip
        if self.leads:
            self.progress.end()
            meta["wall_s"] = round(perf_counter() - start + meta["result"]["prep_s"], 3)
            with self.events.timed("publish"):
                self.lead_publish_packed(shard, entries, meta, report, part)
        self.cache.forget_oldest()
        if len(self.domains) > CAPACITY:
            self.domains.clear()

    def lead_open(self, shard: ShardFolder) -> list[tuple[str, FileNames]] | None:
        """Locks a shard and returns its files with the names of their models; None where there is nothing to read."""
        if not shard.path.is_dir():
            shard.path.mkdir(parents=True)
        paths = shard.inputs()
        if not self.options.force and self._lead_has_nothing_to_do(shard, shard.read_meta(), paths):
            self._lead_tidy(shard)
            self._lead_skip(shard, shard.read_meta())
            return None
        self._lock = ShardLock(shard.path)
        try:
            self._lock.acquire()
        except ShardBusyError as error:
            log.warning("%s", error)
            self.outcomes.append(Outcome(shard.index, "busy", exit_code=FAILED, message=str(error)))
            return None
        shard.remove_parts()
        meta = None if self.options.force else self._lead_published(shard)
        if meta is not None and self._lead_has_nothing_to_do(
            shard, meta, paths
        ):  # another run was at it until just now
            self._lead_skip(shard, meta)
            self._lock.release()
            return None
        clusters_only = self.config.phase == "cluster_only"  # and then the input does not matter any more
        if meta is not None and (clusters_only or meta.get("inputs_stat_sha256") == _stat_hash(paths)):
            self._lead_queue(shard, meta)
            return None
        if clusters_only:
            raise RunFolderError(
                f"{shard.path}: there are no graphs to cluster; "
                "run `python -m stagea_mpi run` with --phase prep_graphs (or full) first"
            )
        return [(path, self.names.of(path)) for path in paths]

    def lead_decide(self, shard: ShardFolder, entries: list[ModelEntry]) -> dict[str, Any] | None:
        """The metadata to build a shard with; None where what is published is still good."""
        digests = [(entry.ref.path, entry.ref.name, entry.digest) for entry in entries]
        inputs = input_hash(*zip(*digests, strict=True)) if digests else input_hash((), (), ())
        published = None if self.options.force else self._lead_published(shard)
        if published is not None:
            if published["inputs_sha256"] == inputs:
                published["inputs_stat_sha256"] = _stat_hash(shard.inputs())  # touched, but of the same content
                if self._lead_is_complete(shard, published):
                    write_json(shard.meta, published)
                    self._lead_skip(shard, published)
                    self._lock.release()
                else:
                    self._lead_queue(shard, published)
                return None
            if shard.has(GRAPHS_DONE):
                raise RunFolderError(
                    f"{shard.path}: its graphs were made from other input: {_changed_files(shard, digests)}. "
                    "Restore it, choose another run_root, or start with --force to compute the shard again"
                )
        science = self._science()
        return {
            "stage": "A",
            "shard_id": shard.name,
            "shard_list": str(shard.list_path),
            "chains": chains_as_dict(self.config.chains),
            "num_cores": self.comm.size,
            "do_cluster": False,
            "stagea_phase": self.config.phase,
            "result": {"shard_id": shard.name, "n_inputs": len(shard.inputs())},
            "science": science,
            "science_sha256": hash_of(science),
            "inputs_sha256": inputs,
            "inputs_stat_sha256": _stat_hash(shard.inputs()),
            "versions": versions(),
        }

    def lead_publish_packed(self, shard, entries: list[ModelEntry], meta: dict[str, Any], report, part) -> None:
        """Publishes what all ranks have written, the lists first, and queues the shard for its end."""
        n_models = len(entries)
        vanished = _vanished(entries, {failure.model for failure in report.failures})
        if report.stopped:
            who = self.stop.signal.name if self.stop else "a signal"
            self._lead_drop(shard, part, n_models, "stopped", f"stopped by {who} before all models were built")
            return
        if vanished:
            message = f"{', '.join(vanished[:5])}: has vanished since the shard was listed; put it back and run again"
            self._lead_drop(shard, part, n_models, "lost", message, FAILED)
            return
        meta["result"] |= {
            "n_models": n_models,
            "n_ok": n_models - len(report.failures),
            "n_fail": len(report.failures),
            "graphs_s": round(report.graphs_s, 3),
        }
        with publish(shard.packed, part):
            self._lock.check()
            withdraw(shard)  # what an earlier run has published stays until the new files are whole
            write_lists(shard, entries, report.failures)
            files = {shard.packed: part, shard.manifest: shard.manifest, shard.failures: shard.failures}
            meta["files"] = {path.name: record(content) for path, content in files.items()}
            write_json(shard.meta, meta)
        self._lead_queue(shard, meta)

    def _lead_drop(self, shard: ShardFolder, part, n_models: int, action: str, message: str, code: int = OK) -> None:
        """Leaves a shard to be built by another run."""
        part.unlink(missing_ok=True)
        self.progress.write("stopped", taken=0)
        self._lock.release()
        self.outcomes.append(Outcome(shard.index, action, n_models, 0, code, f"{shard.name}: {message}"))

    def lead_finish_pending(self) -> None:
        """Clusters and publishes the shard that is waiting for it."""
        if self._pending is None:
            return
        job, self._pending = self._pending, None
        stage = self.config.stage_a
        job.meta |= this_job()
        result = job.meta["result"]
        job.lock.check()
        write_progress(job.shard, job.lock, "finishing", n_models=result["n_models"], failed=result["n_fail"])
        outcome = finish_shard(
            job.shard, job.meta, self.config.phase, self.options.cluster, stage.max_failed_fraction, self.events
        )
        self.outcomes.append(outcome)
        job.shard.progress.unlink(missing_ok=True)
        job.lock.release()

    def _lead_release_all(self) -> None:
        for lock in (self._lock, self._pending and self._pending.lock):
            if lock is not None:
                lock.release()

    def _lead_queue(self, shard: ShardFolder, meta: dict[str, Any]) -> None:
        self.lead_finish_pending()
        self._pending = _Job(shard, self._lock, meta)

    def _lead_tidy(self, shard: ShardFolder) -> None:
        """Removes what a killed run has left in a shard that is done, as one with --force does."""
        if holder_of(shard.path) is None:
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

    def _lead_skip(self, shard: ShardFolder, meta: dict[str, Any]) -> None:
        result = meta["result"]
        log.info("%s: done already", shard.name)
        self.outcomes.append(Outcome(shard.index, "skipped", result["n_models"], result["n_ok"]))

    def _lead_published(self, shard: ShardFolder) -> dict[str, Any] | None:
        """Metadata of a shard whose packed.h5 and lists are whole and of these settings, else None.

        Raises
        ------
        RunFolderError
            The shard is marked as done, but under other settings or with a file missing or damaged.
        """
        marked = shard.has(GRAPHS_DONE) or shard.has(DONE)  # before the metadata, which are there before the markers
        meta, science = shard.read_meta(), self._science()
        wrong = self._lead_complaint(shard, meta)
        if wrong and marked:
            raise RunFolderError(
                f"{wrong}, though the shard is marked as done; "
                f"`python -m stagea_mpi verify {self.folder.root} --repair` removes what is wrong, "
                "and running again fills it in"
            )
        if wrong:
            return None
        if meta.get("science") != science:
            if not marked:
                return None
            known = meta.get("science") or {}
            changed = [
                f"{key} was {known.get(key)!r}, is {science[key]!r}"
                for key in science
                if known.get(key) != science[key]
            ]
            raise RunFolderError(
                f"{shard.path}: its graphs were made under other settings: {'; '.join(changed)}. "
                "Restore them, choose another run_root, or start with --force to compute the shard again"
            )
        with PackedFile(shard.packed) as packed:
            found = packed.attributes["science_sha256"], packed.attributes["inputs_sha256"]
            failed = [status for status in packed.statuses if status != "ok"]
        if not marked and len(failed) > self.config.stage_a.max_failed_fraction * meta["result"]["n_models"]:
            if PASSING & set(failed):
                return None
        return meta if found == (meta["science_sha256"], meta["inputs_sha256"]) else None

    def _lead_has_nothing_to_do(self, shard: ShardFolder, meta: dict[str, Any] | None, paths: list[str]) -> bool:
        """Whether a shard is done for this phase, of these settings and of input files that nobody has touched."""
        if meta is None or meta.get("science") != self._science() or not self._lead_is_complete(shard, meta):
            return False
        same_input = self.config.phase == "cluster_only" or meta.get("inputs_stat_sha256") == _stat_hash(paths)
        return same_input and self._lead_complaint(shard, meta) is None

    def _lead_complaint(self, shard: ShardFolder, meta: dict[str, Any] | None) -> str | None:
        """What is wrong with a shard's files, by their records. Where nothing more is to be done, sizes have to do."""
        if meta is None:
            return f"{shard.meta}: is missing or damaged"
        complete = self._lead_is_complete(shard, meta)
        files = [path for path in published_files(shard) if path != shard.graphs or complete]
        return next(filter(None, (complaint(path, meta, sizes_only=complete) for path in files)), None)

    def _lead_is_complete(self, shard: ShardFolder, meta: dict[str, Any]) -> bool:
        """Whether this phase has nothing more to do for the shard."""
        if meta.get("replaced"):
            return False
        if self.config.phase == "prep_graphs":
            return shard.has(GRAPHS_DONE) and shard.graphs.exists()
        wants_clusters = self.options.cluster or self.config.phase == "cluster_only"
        return shard.has(DONE) and shard.graphs.exists() and (meta["do_cluster"] or not wants_clusters)

    def _science(self) -> dict[str, Any]:
        """All settings that a graph's numbers depend on."""
        return {"features": FEATURES, "schema_version": SCHEMA_VERSION, "chains": self.config.chains.fingerprint()}


def _vanished(entries: list[ModelEntry], failed: set[str]) -> list[str]:
    """Files that are no longer there, and whose models therefore failed: nothing is known of these models."""
    paths = dict.fromkeys(entry.ref.path for entry in entries if entry.ref.name in failed)
    return [path for path in paths if not os.path.lexists(path)]


def _stat_hash(paths: list[str]) -> str:
    """Hash of the files' sizes and times: equal ones spare reading the files again."""
    found = []
    for path in paths:
        try:
            stat = os.stat(path)
            found.append((path, stat.st_size, stat.st_mtime_ns))
        except OSError:
            found.append((path, -1, -1))
    return hash_of(found)


def _changed_files(shard: ShardFolder, digests: list[tuple[str, str, str]]) -> str:
    with PackedFile(shard.packed) as packed:
        sources = [source.decode("utf-8", "surrogateescape") for source in packed.column("model/source").tolist()]
        known = dict(zip(sources, (digest.decode() for digest in packed.column("model/digest").tolist()), strict=True))
    now = {path: digest for path, _, digest in digests}
    changed = sorted({path for path in known.keys() | now.keys() if known.get(path) != now.get(path)})
    return (
        ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
        or "the names of its models"
    )
