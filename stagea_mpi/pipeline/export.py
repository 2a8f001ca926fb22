"""graphs.h5 of shards that were published without it (`stage_a.write_graphs: 0`), made from their packed.h5.

Ranks share out the shards, and each writes its own alone: neither team nor parallel file is needed.
"""

import os
from collections import Counter
from dataclasses import dataclass, field

from ..errors import DONE as OK
from ..errors import STOPPED_EARLY, RunFolderError, StageAError, StorageError
from ..mpi.communicator import Communicator
from ..mpi.guard import StopRequest, raise_on_any_rank
from ..mpi.shared_counter import SharedCounter
from ..rundir.folders import RunFolder, ShardFolder, draft_name
from ..rundir.lock import ShardLock
from ..rundir.records import mismatch, publish_together, recorded_files
from ..rundir.shard_meta import ShardMeta
from ..rundir.shard_state import Published, ShardState
from ..rundir.sharding import read_params
from ..storage.packed_reader import PackedFile
from .finish_shard import Outcome, known_clusters, write_graphs_of
from .progress import Progress

_WHY_NOT_DONE = {
    Published.NOTHING: "its graphs are not there",
    Published.UNFINISHED: "a run has ended before it was finished",
    Published.TOO_MANY_FAILED: "it is not marked as done, since more models failed than max_failed_fraction allows",
    Published.GRAPHS: "its graphs are still to be clustered",
}


@dataclass
class ExportSummary:
    """What became of an export.

    Attributes
    ----------
    outcomes : list of Outcome
        Of the shards that were taken up, by their numbers: ``written``, ``skipped`` where graphs.h5 was there, or
        ``refused``.
    n_shards : int
        How many there were to be.
    stopped_by : str
        The signal that came before all shards were taken up; empty where none did.
    lines : list of str
        The same for a person.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    n_shards: int = 0
    stopped_by: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        if self.stopped_by:
            return STOPPED_EARLY
        return max((outcome.exit_code for outcome in self.outcomes), default=OK)


def export_graphs(
    comm: Communicator, folder: RunFolder, shards: tuple[int, ...] | None, stop: StopRequest
) -> ExportSummary:
    """Writes graphs.h5 of all shards that are without; collective. The summary is whole on rank 0.

    What is wrong with one shard costs that shard alone; the summary names it.

    Parameters
    ----------
    comm : communicator
    folder : RunFolder
    shards : tuple of int or None
        Which; None for all.
    stop : StopRequest
        After it each rank finishes the shard that it has in hand.

    Raises
    ------
    RunFolderError
        The folder is not that of a run, or has no such shard.
    StorageError
        The disk is full, read-only or failing, which would be so for the other shards as well.
    """
    error: StageAError | None = None
    selected: tuple[int, ...] = ()
    try:
        selected = _selected(folder, shards)
    except StageAError as problem:
        error = problem
    raise_on_any_rank(comm, error)
    outcomes = []
    with SharedCounter(comm, len(selected)) as counter:
        while not stop and (place := counter.take()) is not None:
            outcomes.append(_export_or_say_why(folder.shard(selected[place])))
    gathered = comm.gather((outcomes, stop.signal.name if stop.signal is not None else ""))
    if gathered is None:
        return ExportSummary()
    found = sorted((outcome for part, _ in gathered for outcome in part), key=lambda outcome: outcome.shard)
    names = [name for _, name in gathered if name]
    stopped_by = names[0] if names and len(found) < len(selected) else ""
    return ExportSummary(found, len(selected), stopped_by, _told(found, folder, len(selected), stopped_by))


def _selected(folder: RunFolder, shards: tuple[int, ...] | None) -> tuple[int, ...]:
    params = read_params(folder)
    if params is None:
        raise RunFolderError(
            f"{folder.root}: is not the folder of a run: {folder.params} is missing on {os.uname().nodename}; "
            "name the run_root of a run"
        )
    n_shards = params["n_shards"]
    beyond = [shard for shard in shards or () if shard >= n_shards]
    if beyond:
        raise RunFolderError(f"--shards: there is no shard {beyond[0]}; the run has the shards 0 to {n_shards - 1}")
    return tuple(range(n_shards)) if shards is None else shards


def _export_or_say_why(shard: ShardFolder) -> Outcome:
    try:
        return export_shard(shard)
    except StorageError:
        raise
    except StageAError as error:
        return Outcome(shard.index, "refused", exit_code=error.exit_code, message=str(error))


def export_shard(shard: ShardFolder) -> Outcome:
    """Writes a shard's graphs.h5, the same bytes that its run would have written, and records it in the metadata.

    Raises
    ------
    RunFolderError
        The shard is not done, or a file of it is missing or damaged.
    ShardBusyError
        Another process is writing the shard.
    StorageError, OSError
    """
    lock, state = ShardLock(shard.path), ShardState(shard)
    if state.holder is None and not shard.drafts() and state.meta is not None and _has_graphs(state, state.meta):
        return _outcome(state.meta, shard, "skipped")
    is_held = state.holder is not None and state.holder[2]
    if state.published is not Published.DONE and not is_held:
        _checked(state)  # which says why not; what a run has left half done is the next run's
    lock.acquire()
    try:
        state = ShardState(shard)  # another process may have been at it until just now
        meta = _checked(state)
        shard.remove_drafts()
        shard.progress.unlink(missing_ok=True)
        if _has_graphs(state, meta):
            return _outcome(meta, shard, "skipped")
        _write(shard, meta, lock)
        return _outcome(meta, shard, "written")
    finally:
        lock.release()


def _write(shard: ShardFolder, meta: ShardMeta, lock: ShardLock) -> None:
    progress = Progress(shard, lock, log_every_s=float("inf"), show_bar=False)
    progress.finishing(meta.result.n_models, meta.result.n_fail)
    draft = draft_name(shard.graphs)
    try:
        with PackedFile(shard.packed) as packed:
            packed.check()
            meta.result.graphs_bytes = write_graphs_of(packed, draft, known_clusters(packed))
        lock.check()
        publish_together(shard, meta, {shard.graphs: draft})
    finally:
        draft.unlink(missing_ok=True)
        shard.progress.unlink(missing_ok=True)
    meta.write(shard)


def _has_graphs(state: ShardState, meta: ShardMeta) -> bool:
    """Whether graphs.h5 is there as recorded, by its size."""
    if state.published is not Published.DONE or state.is_being_replaced or meta.is_without_graphs:
        return False
    return mismatch(state.shard.graphs, meta, sizes_only=True) is None


def _checked(state: ShardState) -> ShardMeta:
    """Metadata of a shard that is done, and of which all is there as recorded, but for graphs.h5 that may be missing.

    Raises
    ------
    RunFolderError
    """
    shard, meta = state.shard, state.meta
    if meta is None and not state.is_marked:
        raise _not_done(shard, "nothing of it is published")
    if state.published is not Published.DONE:
        raise _not_done(shard, _WHY_NOT_DONE[state.published])
    wrong = f"{shard.meta}: is missing or damaged" if meta is None else None
    if meta is not None:
        if set(meta.replaced or {}) - {shard.graphs.name}:
            raise _not_done(shard, "a run has ended while its files were being replaced")
        files = [path for path in recorded_files(shard, meta) if path != shard.graphs or path.exists()]
        wrong = next(filter(None, (mismatch(path, meta) for path in files)), None)
    if wrong or meta is None:
        raise RunFolderError(
            f"{wrong}, though the shard is marked as done; `python -m stagea_mpi verify {shard.path.parents[1]} "
            "--repair` removes what is wrong, and running again fills it in"
        )
    return meta


def _not_done(shard: ShardFolder, why: str) -> RunFolderError:
    return RunFolderError(f"{shard.path}: is not done: {why}; finish the run first, then export again")


def _outcome(meta: ShardMeta, shard: ShardFolder, action: str) -> Outcome:
    return Outcome(shard.index, action, meta.result.n_models, meta.result.n_ok)


def _told(outcomes: list[Outcome], folder: RunFolder, n_shards: int, stopped_by: str) -> list[str]:
    lines = [f"stagea_mpi: {outcome.message}" for outcome in outcomes if outcome.message]
    actions = Counter(outcome.action for outcome in outcomes)
    there = actions["written"] + actions["skipped"]
    done = ", ".join(f"{n} {action}" for action, n in sorted(actions.items()))
    lines.append(
        f"stagea_mpi: {sum(outcome.n_ok for outcome in outcomes)} models are in {folder.shards}/*/graphs.h5 "
        f"({there} of {n_shards} shards{'; ' + done if done else ''})"
    )
    if stopped_by:
        lines.append(f"stagea_mpi: stopped early by {stopped_by}; run the same command again to finish")
    return lines
