"""graphs.h5 of shards that were published without it (`stage_a.write_graphs: 0`), made from their packed.h5."""

from pathlib import Path

from ..mpi.communicator import Communicator
from ..mpi.guard import StopRequest
from ..rundir.folders import RunFolder, ShardFolder, draft_name
from ..rundir.lock import ShardLock
from ..rundir.records import mismatch, publish_together
from ..rundir.shard_meta import ShardMeta
from ..rundir.shard_state import ShardState
from ..storage.packed_reader import PackedFile
from .each_shard import ShardWork, Summary, each_shard
from .finish_shard import known_clusters, write_graphs_of


def export_graphs(comm: Communicator, folder: RunFolder, shards: tuple[int, ...] | None, stop: StopRequest) -> Summary:
    """Writes graphs.h5 of all shards that are without; collective. Parameters and errors are those of `each_shard`."""
    return each_shard(comm, folder, shards, stop, Export())


class Export(ShardWork):
    """Writes a shard's graphs.h5, the same bytes that its run would have written, and records it in the metadata."""

    again = "export"

    def has_it(self, state: ShardState, meta: ShardMeta) -> bool:
        """Whether graphs.h5 is there as recorded, by its size."""
        return not meta.is_without_graphs and mismatch(state.shard.graphs, meta, sizes_only=True) is None

    def write(self, shard: ShardFolder, meta: ShardMeta, lock: ShardLock) -> None:
        draft = draft_name(shard.graphs)
        try:
            with PackedFile(shard.packed) as packed:
                packed.check()
                meta.result.graphs_bytes = write_graphs_of(packed, draft, known_clusters(packed))
            lock.check()
            publish_together(shard, meta, {shard.graphs: draft})
        finally:
            draft.unlink(missing_ok=True)
        meta.write(shard)

    def may_lack(self, shard: ShardFolder) -> tuple[Path, ...]:
        return (shard.graphs,)

    def replaces(self, shard: ShardFolder) -> tuple[Path, ...]:
        return (shard.graphs,)
