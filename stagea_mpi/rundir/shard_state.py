"""What state a shard is in, as its folder says: what of it is published, and who is at it.

It loads neither HDF5 nor MPI, so that a login node can ask for it.
"""

import json
from enum import StrEnum
from functools import cached_property
from typing import Any

from .folders import DONE, GRAPHS_DONE, ShardFolder
from .lock import holder_of
from .shard_meta import ShardMeta

#: What `holder_of` says of a lock: who holds it, seconds since its last heartbeat, whether it is alive.
Holder = tuple[dict[str, Any], float, bool]


class Published(StrEnum):
    """How far a shard has come, by what is published of it."""

    #: No graphs, or none that metadata vouch for.
    NOTHING = "nothing"
    #: Graphs, in packed.h5; a run has ended before it could finish the shard.
    UNFINISHED = "unfinished"
    #: Everything but the markers, since too many models failed.
    TOO_MANY_FAILED = "too many failed"
    #: Marked as having its graphs, but not as done: they are still to be clustered.
    GRAPHS = "graphs"
    #: Marked as done.
    DONE = "done"


class ShardState:
    """What a shard's folder says: the markers when this is made, every other fact once, when it is first asked for.

    Parameters
    ----------
    shard : ShardFolder

    Attributes
    ----------
    has_graphs_done, has_done : bool
        The markers: the graphs are published; there is nothing more to do.
    meta : ShardMeta or None
    progress : dict or None
        progress.json, which a run replaces while it is at work and removes at the end of the shard.
    holder : Holder or None
        Who holds the lock.
    """

    def __init__(self, shard: ShardFolder):
        self.shard = shard
        # Before the metadata, which are there before the markers.
        self.has_graphs_done, self.has_done = shard.has(GRAPHS_DONE), shard.has(DONE)

    @property
    def is_marked(self) -> bool:
        return self.has_graphs_done or self.has_done

    @cached_property
    def meta(self) -> ShardMeta | None:
        return ShardMeta.read(self.shard)

    @cached_property
    def progress(self) -> dict[str, Any] | None:
        try:
            return json.loads(self.shard.progress.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # none, or none that is whole
            return None

    @cached_property
    def holder(self) -> Holder | None:
        return holder_of(self.shard.path)

    @property
    def published(self) -> Published:
        if self.has_done:
            return Published.DONE
        if self.has_graphs_done:
            return Published.GRAPHS
        if self.meta is None or not self.shard.packed.exists():
            return Published.NOTHING
        return Published.UNFINISHED if self.meta.result.graphs_bytes is None else Published.TOO_MANY_FAILED

    @property
    def is_being_replaced(self) -> bool:
        """Whether a run has ended, or is, in the middle of replacing published files."""
        return self.meta is not None and bool(self.meta.replaced)

    @property
    def work(self) -> dict[str, Any]:
        """What the lock's holder says in progress.json; ``stage`` is ``reading`` where it has said nothing yet."""
        progress, holder = self.progress, self.holder[0] if self.holder is not None else {}
        if progress is None or progress["stage"] == "stopped" or progress["pid"] != holder.get("pid"):
            return {"stage": "reading"}  # what is there is an earlier run's
        return progress
