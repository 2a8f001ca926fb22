"""Something done later to the published shards of a run: ranks share them out, and each works on its own alone."""

import abc
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DONE as OK
from ..errors import STOPPED_EARLY, RunFolderError, StageAError, StorageError
from ..mpi.communicator import Communicator
from ..mpi.guard import StopRequest, raise_on_any_rank
from ..mpi.shared_counter import SharedCounter
from ..rundir.folders import RunFolder, ShardFolder
from ..rundir.lock import ShardLock
from ..rundir.records import mismatch, recorded_files
from ..rundir.shard_meta import ShardMeta
from ..rundir.shard_state import Published, ShardState
from ..rundir.sharding import read_params
from .finish_shard import Outcome
from .progress import Progress

_WHY_NOT_DONE = {
    Published.NOTHING: "its graphs are not there",
    Published.UNFINISHED: "a run has ended before it was finished",
    Published.TOO_MANY_FAILED: "it is not marked as done, since more models failed than max_failed_fraction allows",
    Published.GRAPHS: "its graphs are still to be clustered",
}


@dataclass
class Summary:
    """What became of the shards.

    Attributes
    ----------
    outcomes : list of Outcome
        Of the shards that were taken up, by their numbers: ``written``, ``skipped`` where nothing was to be done, or
        ``refused``.
    n_shards : int
        How many there were to be.
    stopped_by : str
        The signal that came before all shards were taken up; empty where none did.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    n_shards: int = 0
    stopped_by: str = ""

    @property
    def exit_code(self) -> int:
        if self.stopped_by:
            return STOPPED_EARLY
        return max((outcome.exit_code for outcome in self.outcomes), default=OK)

    def lines(self, what: str) -> list[str]:
        """The same for a person, where `what` says of the models what they are now."""
        lines = [f"stagea_mpi: {outcome.message}" for outcome in self.outcomes if outcome.message]
        actions = Counter(outcome.action for outcome in self.outcomes)
        there = actions["written"] + actions["skipped"]
        done = ", ".join(f"{n} {action}" for action, n in sorted(actions.items()))
        n_ok = sum(outcome.n_ok for outcome in self.outcomes)
        shards = f"({there} of {self.n_shards} shards{'; ' + done if done else ''})"
        lines.append(f"stagea_mpi: {n_ok} models {what} {shards}")
        if self.stopped_by:
            lines.append(f"stagea_mpi: stopped early by {self.stopped_by}; run the same command again to finish")
        return lines


def each_shard(
    comm: Communicator,
    folder: RunFolder,
    shards: tuple[int, ...] | None,
    stop: StopRequest,
    work: Callable[[ShardFolder], Outcome],
) -> Summary:
    """Does something to shards; collective. The summary is whole on rank 0.

    What is wrong with one shard costs that shard alone; the summary names it.

    Parameters
    ----------
    comm : communicator
    folder : RunFolder
    shards : tuple of int or None
        Which; None for all.
    stop : StopRequest
        After it each rank finishes the shard that it has in hand.
    work : callable
        Called with a shard, on the one rank that has it.

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
            outcomes.append(_done_or_said_why(work, folder.shard(selected[place])))
    gathered = comm.gather((outcomes, stop.signal.name if stop.signal is not None else ""))
    if gathered is None:
        return Summary()
    found = sorted((outcome for part, _ in gathered for outcome in part), key=lambda outcome: outcome.shard)
    names = [name for _, name in gathered if name]
    return Summary(found, len(selected), names[0] if names and len(found) < len(selected) else "")


def _selected(folder: RunFolder, shards: tuple[int, ...] | None) -> tuple[int, ...]:
    n_shards = params_of(folder)["n_shards"]
    beyond = [shard for shard in shards or () if shard >= n_shards]
    if beyond:
        raise RunFolderError(f"--shards: there is no shard {beyond[0]}; the run has the shards 0 to {n_shards - 1}")
    return tuple(range(n_shards)) if shards is None else shards


def params_of(folder: RunFolder) -> dict:
    """What decided how the run is split.

    Raises
    ------
    RunFolderError
        It has not been, or this is no run's folder.
    """
    params = read_params(folder)
    if params is None:
        raise RunFolderError(
            f"{folder.root}: is not the folder of a run: {folder.params} is missing on {os.uname().nodename}; "
            "name the run_root of a run"
        )
    return params


def _done_or_said_why(work: Callable[[ShardFolder], Outcome], shard: ShardFolder) -> Outcome:
    try:
        return work(shard)
    except StorageError:
        raise
    except StageAError as error:
        return Outcome(shard.index, "refused", exit_code=error.exit_code, message=str(error))


class ShardWork(abc.ABC):
    """What is done to a published shard under its lock: something is written anew and recorded.

    Attributes
    ----------
    again : str
        What is to be done again once the run is finished, for messages.
    done : tuple of Published
        How far a shard has to have come.
    """

    again: str
    done: tuple[Published, ...] = (Published.DONE,)

    @abc.abstractmethod
    def has_it(self, state: ShardState, meta: ShardMeta) -> bool:
        """Whether nothing is to be done; by the sizes of files."""

    @abc.abstractmethod
    def write(self, shard: ShardFolder, meta: ShardMeta, lock: ShardLock) -> None:
        """Writes it, and the metadata."""

    @abc.abstractmethod
    def may_lack(self, shard: ShardFolder) -> tuple[Path, ...]:
        """Files that may be missing."""

    @abc.abstractmethod
    def replaces(self, shard: ShardFolder) -> tuple[Path, ...]:
        """Files in the middle of whose replacement an earlier process may have ended."""

    def __call__(self, shard: ShardFolder) -> Outcome:
        """Does it.

        Raises
        ------
        RunFolderError
            The shard is not done, or a file of it is missing or damaged.
        ShardBusyError
            Another process is writing the shard.
        StorageError, OSError
        """
        lock, state = ShardLock(shard.path), ShardState(shard)
        if state.holder is None and not shard.drafts() and state.meta is not None and self._is_there(state, state.meta):
            return _outcome(state.meta, shard, "skipped")
        is_held = state.holder is not None and state.holder[2]
        if state.published not in self.done and not is_held:
            self._checked(state)  # which says why not; what a run has left half done is the next run's
        lock.acquire()
        try:
            state = ShardState(shard)  # another process may have been at it until just now
            meta = self._checked(state)
            shard.remove_drafts()
            shard.progress.unlink(missing_ok=True)
            if self._is_there(state, meta):
                return _outcome(meta, shard, "skipped")
            progress = Progress(shard, lock, log_every_s=float("inf"), show_bar=False)
            progress.finishing(meta.result.n_models, meta.result.n_fail)
            try:
                self.write(shard, meta, lock)
            finally:
                shard.progress.unlink(missing_ok=True)
            return _outcome(meta, shard, "written")
        finally:
            lock.release()

    def _is_there(self, state: ShardState, meta: ShardMeta) -> bool:
        return state.published in self.done and not state.is_being_replaced and self.has_it(state, meta)

    def _checked(self, state: ShardState) -> ShardMeta:
        """Metadata of a shard that has come so far, and of which all is there as recorded."""
        shard, meta = state.shard, state.meta
        if meta is None and not state.is_marked:
            raise self._not_done(shard, "nothing of it is published")
        if state.published not in self.done:
            raise self._not_done(shard, _WHY_NOT_DONE[state.published])
        wrong = f"{shard.meta}: is missing or damaged" if meta is None else None
        if meta is not None:
            if set(meta.replaced or {}) - {path.name for path in self.replaces(shard)}:
                raise self._not_done(shard, "a run has ended while its files were being replaced")
            may_lack = self.may_lack(shard)
            files = [path for path in recorded_files(shard, meta) if path not in may_lack or path.exists()]
            wrong = next(filter(None, (mismatch(path, meta) for path in files)), None)
        if wrong or meta is None:
            raise RunFolderError(
                f"{wrong}, though the shard is marked as done; `python -m stagea_mpi verify {shard.path.parents[1]} "
                "--repair` removes what is wrong, and running again fills it in"
            )
        return meta

    def _not_done(self, shard: ShardFolder, why: str) -> RunFolderError:
        return RunFolderError(f"{shard.path}: is not done: {why}; finish the run first, then {self.again} again")


def _outcome(meta: ShardMeta, shard: ShardFolder, action: str) -> Outcome:
    return Outcome(shard.index, action, meta.result.n_models, meta.result.n_ok)
