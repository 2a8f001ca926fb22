"""Where a shard whose graphs are published waits to be finished, while its team builds those of the next one."""

from typing import Protocol

from ..rundir.lock import ShardLock
from .finish_shard import Outcome


class Unfinished(Protocol):
    """A shard with graphs, and under its lock: `shard.Shard`."""

    lock: ShardLock

    def root_finish(self) -> Outcome:
        """Clusters and publishes its graphs, and gives it back."""


class FinishQueue:
    """The shard that waits for its last step, one at most; it is empty on all ranks but a team's first.

    Attributes
    ----------
    outcomes : list of Outcome
        Of the shards that have been finished.
    """

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._waiting: Unfinished | None = None

    def root_put(self, shard: Unfinished) -> None:
        """Has a shard wait; one that waits already is finished first."""
        self.root_finish()
        self._waiting = shard

    def root_finish(self) -> None:
        """Finishes the shard that waits, if there is one; on other ranks nothing happens."""
        if self._waiting is None:
            return
        shard, self._waiting = self._waiting, None
        self.outcomes.append(shard.root_finish())

    def root_release(self) -> None:
        """Gives back the lock of a shard that waits and will not be finished."""
        if self._waiting is not None:
            self._waiting.lock.release()
