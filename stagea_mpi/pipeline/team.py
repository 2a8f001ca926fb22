"""A team of ranks at work on shards, one after the other."""

from collections.abc import Iterator

from ..mpi.communicator import Communicator
from .context import RunContext, TeamContext
from .finish_queue import FinishQueue
from .finish_shard import Outcome
from .shard import Shard


class Team:
    """The ranks that work on one shard together: which shards they take, and what is still to be finished.

    Parameters
    ----------
    comm : communicator
        The team.
    index : int
        Its number.
    run : RunContext
    """

    def __init__(self, comm: Communicator, index: int, run: RunContext):
        self._context = TeamContext(comm, index, run)
        self._queue = FinishQueue()

    def work(self, shards: Iterator[int]) -> list[Outcome]:
        """Runs shards one after the other; collective. Their outcomes are whole on the first rank."""
        context, shard, outcomes = self._context, None, []
        try:
            if context.config.phase != "cluster_only":
                context.worker.set_up()
            else:
                context.worker.stop()
            for index in context.events.waiting_for(shards, on="lead"):
                context.events.shard = index
                shard = Shard(context, context.folder.shard(index), self._queue)
                shard.run()
                outcomes += [shard.outcome] if shard.outcome is not None else []
            self._queue.root_finish()
        finally:
            context.worker.stop()
            if shard is not None:
                shard.lock.release()
            self._queue.root_release()
        return outcomes + self._queue.outcomes
