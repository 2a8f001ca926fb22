"""One shard's way from files to published graphs, in five steps: open, inventory, number, build, finish.

All ranks of a team go it together, apart from its last step: while the others build the graphs of the next shard, the
team's first rank clusters and publishes those of this one.
"""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from ..config.chains import chains_as_dict
from ..errors import DONE as OK
from ..errors import FAILED, RunFolderError, ShardBusyError, StageAError
from ..inputs import FileNames
from ..mpi.guard import raise_on_any_rank
from ..rundir.checksums import hash_of
from ..rundir.folders import ShardFolder, draft_name, write_together
from ..rundir.lock import ShardLock
from ..rundir.records import input_hash, record, record_of, unpublish
from ..rundir.shard_judge import changed_files, stat_hash
from ..rundir.shard_meta import ShardMeta, ShardResult
from ..rundir.shard_state import ShardState
from ..storage.schema import root_attributes
from .build_shard import BuildReport, Failure, GraphBuilder
from .context import TeamContext
from .finish_queue import FinishQueue
from .finish_shard import Outcome, finish_shard, lists_of
from .inventory import ModelEntry, list_shard, with_domains
from .progress import Progress, job_of_this_process
from .versions import versions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """What the graphs of a shard are made from and under which settings, as hashes: see `ShardMeta`."""

    numerics_sha256: str
    inputs_sha256: str
    inputs_stat_sha256: str


class Shard:
    """A shard on its way, as every rank of its team sees it.

    Methods are collective, but for those that start with ``root``: these run on the team's first rank, which alone
    touches the shard's folder.

    Parameters
    ----------
    context : TeamContext
    folder : ShardFolder
    queue : FinishQueue
        Where the shard waits for its last step.

    Attributes
    ----------
    lock : ShardLock
        Held by the first rank from `root_open` to the end of `root_finish`.
    progress : Progress
        The first rank's.
    meta : ShardMeta
        On the first rank, once there are graphs.
    outcome : Outcome or None
        On the first rank, where the shard does not come to its last step.
    """

    def __init__(self, context: TeamContext, folder: ShardFolder, queue: FinishQueue):
        self.context, self.folder, self._queue = context, folder, queue
        self.lock = ShardLock(folder.path)
        every_s = context.config.stage_a.graph_writer_log_every_s
        self.progress = Progress(folder, self.lock, every_s, show_bar=context.index == 0)
        self.meta: ShardMeta
        self.outcome: Outcome | None = None
        self._paths: list[str] = []
        self._state: ShardState | None = None  # as found under the lock; None where nothing of the shard was there
        self._published: ShardMeta | None = None
        self._start, self._prep_s, self._number_s = perf_counter(), 0.0, 0.0

    def run(self) -> None:
        """The way, up to where the shard waits in the queue for `root_finish`, or has nothing more to be done."""
        files = self._on_root(self.root_open)
        if files is None:
            return
        entries = self.inventory(files)
        origin = self._on_root(self.root_decide, entries)
        if origin is None:
            return
        self._prep_s = perf_counter() - self._start
        entries = self.number(entries)
        self.build(entries, origin)
        self.context.numbering.forget()

    def _on_root(self, action: Callable, *args: Any) -> Any:
        """Runs something on the first rank and gives its result, or raises its error, on all."""
        result, error = None, None
        context = self.context
        with context.events.timed("prep") if context.is_root else context.events.timed("wait", on="lead"):
            if context.is_root:
                try:
                    result = action(*args)
                except StageAError as found:
                    error = found
            raise_on_any_rank(context.comm, error)
            return context.comm.bcast(result)

    # 1. Open: whose is the shard, and is there something to do?

    def root_open(self) -> list[tuple[str, FileNames]] | None:
        """Locks the shard and returns its files with the names of their models; None where there is nothing to read."""
        judge, force = self.context.judge, self.context.options.force
        is_new = _made(self.folder.path)
        paths = self._paths = self.folder.inputs()
        if not force and not is_new:
            state = ShardState(self.folder)
            if state.meta is not None and judge.is_up_to_date(state, paths):
                self._root_tidy(state)
                self._root_skip(state.meta)
                return None
        try:
            self.lock.acquire()
        except ShardBusyError as error:
            log.warning("%s", error)
            self.outcome = Outcome(self.folder.index, "busy", exit_code=FAILED, message=str(error))
            return None
        if self.folder.published & self.folder.remove_drafts():  # also where another run was at it until just now
            self._state = ShardState(self.folder)
            self._published = None if force else judge.usable(self._state)
        published = self._published
        if self._state is not None and published is not None and judge.is_up_to_date(self._state, paths):
            self._root_skip(published)
            return None
        clusters_only = self.context.config.phase == "cluster_only"  # and then the input does not matter any more
        if published is not None and (clusters_only or published.inputs_stat_sha256 == stat_hash(paths)):
            self._root_await_finish(published)
            return None
        if clusters_only:
            raise no_graphs(self.folder)
        return [(path, self.context.names.of(path)) for path in paths]

    def _root_tidy(self, state: ShardState) -> None:
        """Removes what a killed run has left in a shard that is done, as one with --force does."""
        if state.holder is None and not self.folder.drafts():
            return
        try:
            self.lock.acquire()
        except ShardBusyError as error:
            log.info("%s is done, and done again: %s", self.folder.name, error)
            return
        self.folder.remove_drafts()
        self.folder.progress.unlink(missing_ok=True)
        self.lock.release()

    def _root_skip(self, meta: ShardMeta) -> None:
        result = meta.result
        log.info("%s: done already", self.folder.name)
        self.lock.release()
        n_noted, n_unscored = result.n_noted or 0, result.n_unscored or 0
        self.outcome = Outcome(
            self.folder.index, "skipped", result.n_models, result.n_ok, n_noted=n_noted, n_unscored=n_unscored
        )

    def _root_await_finish(self, meta: ShardMeta) -> None:
        self.meta = meta
        self._queue.root_put(self)

    # 2. Inventory: the models of its files.

    def inventory(self, files: list[tuple[str, FileNames]]) -> list[ModelEntry]:
        """Models of the shard's files, equal on all ranks."""
        context = self.context
        with context.events.timed("list", files=len(files)):
            timeout = context.config.stage_a.model_timeout_s
            return list_shard(context.comm, files, context.config.chains, context.numbering, timeout, context.worker)

    def root_decide(self, entries: list[ModelEntry]) -> Origin | None:
        """What to build the graphs from; None where those that are published are of just these models."""
        judge, paths, state, published = self.context.judge, self._paths, self._state, self._published
        digests = [(entry.ref.path, entry.ref.name, entry.digest) for entry in entries]
        inputs = input_hash(*zip(*digests, strict=True)) if digests else input_hash((), (), ())
        if state is not None and published is not None and published.inputs_sha256 == inputs:
            published.inputs_stat_sha256 = stat_hash(paths)  # touched, but of the same content
            if judge.is_complete(state):
                published.write(self.folder)
                self._root_skip(published)
            else:
                self._root_await_finish(published)
            return None
        if state is not None and published is not None and state.has_graphs_done:
            raise RunFolderError(
                f"{self.folder.path}: its graphs were made from other input: {changed_files(self.folder, digests)}. "
                "Restore it, choose another run_root, or start with --force to compute the shard again"
            )
        return Origin(hash_of(judge.numerics()), inputs, stat_hash(paths))

    # 3. Number: the sequences of its models.

    def number(self, entries: list[ModelEntry]) -> list[ModelEntry]:
        """The entries with their antibody's domains."""
        start = perf_counter()
        entries = with_domains(entries, self.context.numbering)
        self._number_s = perf_counter() - start
        return entries

    # 4. Build: graphs into packed.h5, by all ranks; its first one publishes them.

    def build(self, entries: list[ModelEntry], origin: Origin) -> None:
        """Builds and publishes the graphs; before its first model the first rank finishes the shard before."""
        context = self.context
        draft = context.comm.bcast(draft_name(self.folder.packed))
        hashes = origin.numerics_sha256, origin.inputs_sha256, (context.judge.reference or {}).get("sha256", "")
        attributes = root_attributes(json.dumps(versions()), *hashes)
        if context.is_root:
            self.progress.begin(len(entries))
        progress = self.progress if context.is_root else None
        builder = GraphBuilder(context, entries, progress, before=self._queue.root_finish)
        report = builder.build(draft, attributes)
        if context.is_root:
            self.progress.end()
            self.meta = self._root_meta(entries, origin, report)
            with context.events.timed("publish"):
                self.root_publish(entries, report, draft)

    def root_publish(self, entries: list[ModelEntry], report: BuildReport, draft: Path) -> None:
        """Publishes what all ranks have written, the lists first, and has the shard wait for its end."""
        vanished = _vanished(entries, {failure.model for failure in report.failures})
        if report.stopped:
            got = self.context.stop.signal
            who = got.name if got is not None else "a signal"
            self._root_leave("stopped", f"stopped by {who} before all models were built", draft)
            return
        if vanished:
            message = f"{', '.join(vanished[:5])}: has vanished since the shard was listed; put it back and run again"
            self._root_leave("lost", message, draft, FAILED)
            return
        folder, meta = self.folder, self.meta
        try:
            self.lock.check()
            lists = lists_of(folder, entries, report.failures)
            meta.files = {folder.packed.name: record(draft)}
            meta.files |= {path.name: record_of(lists[path]) for path in (folder.manifest, folder.failures)}
            if self._state is not None:
                unpublish(folder)  # what an earlier run has published stays until the new files are whole
            # What vouches for packed.h5 has its name before that.
            write_together([*lists.items(), (folder.meta, meta.as_bytes()), (folder.packed, draft)])
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        self._root_await_finish(meta)

    def _root_meta(self, entries: list[ModelEntry], origin: Origin, report: BuildReport) -> ShardMeta:
        """Metadata of graphs that have no final name yet, and of whose files nothing is recorded."""
        config, numerics, n_fail = self.context.config, self.context.judge.numerics(), len(report.failures)
        result = ShardResult(
            shard_id=self.folder.name,
            n_inputs=len(self._paths),
            prep_s=round(self._prep_s, 3),
            annotate_s=round(self._number_s, 3),
            n_models=len(entries),
            n_ok=len(entries) - n_fail,
            n_fail=n_fail,
            n_noted=_n_noted(entries, report.failures),
            n_unscored=report.n_unscored,
            graphs_s=round(report.graphs_s, 3),
        )
        return ShardMeta(
            stage="A",
            shard_id=self.folder.name,
            shard_list=str(self.folder.list_path),
            chains=chains_as_dict(config.chains),
            num_cores=self.context.comm.size,
            do_cluster=False,
            stagea_phase=config.phase,
            result=result,
            numerics=numerics,
            numerics_sha256=origin.numerics_sha256,
            reference=self.context.judge.reference,
            inputs_sha256=origin.inputs_sha256,
            inputs_stat_sha256=origin.inputs_stat_sha256,
            versions=versions(),
            wall_s=round(perf_counter() - self._start, 3),
            files={},
        )

    def _root_leave(self, action: str, message: str, draft: Path, code: int = OK) -> None:
        """Leaves the shard to be built by another run."""
        draft.unlink(missing_ok=True)
        self.progress.stopped()
        self.lock.release()
        n_models, said = self.meta.result.n_models, f"{self.folder.name}: {message}"
        self.outcome = Outcome(self.folder.index, action, n_models, 0, code, said)

    # 5. Finish: clusters, graphs.h5, markers.

    def root_finish(self) -> Outcome:
        """Clusters and publishes the graphs, and gives the shard back."""
        context, result = self.context, self.meta.result
        job = job_of_this_process()
        self.meta.job_id, self.meta.node = job["job_id"], job["node"]
        with context.events.timed("finish", shard=self.folder.index):
            self.lock.check()
            self.progress.finishing(result.n_models, result.n_fail)
            outcome = finish_shard(self.folder, self.meta, context.config, context.options.cluster, context.events)
            self.folder.progress.unlink(missing_ok=True)
            self.lock.release()
        return outcome


def _made(folder: Path) -> bool:
    """Makes a folder where there is none; whether there was none."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    return True


def no_graphs(folder: ShardFolder) -> RunFolderError:
    """The error of a shard that is to be clustered before its graphs are there."""
    return RunFolderError(
        f"{folder.path}: there are no graphs to cluster; "
        "run `python -m stagea_mpi run` with --phase prep_graphs (or full) first"
    )


def _n_noted(entries: list[ModelEntry], failures: list[Failure]) -> int:
    """How many of the models that have a graph have something odd about their chains."""
    failed = {failure.model for failure in failures}
    return sum(bool(entry.notes) for entry in entries if entry.ref.name not in failed)


def _vanished(entries: list[ModelEntry], failed: set[str]) -> list[str]:
    """Files that are no longer there, and whose models therefore failed: nothing is known of these models."""
    paths = dict.fromkeys(entry.ref.path for entry in entries if entry.ref.name in failed)
    return [path for path in paths if not os.path.lexists(path)]
