"""How much disk the graphs of a run take, measured on a few of them."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..graph.interface_graph import Clusters, GraphArrays
from ..graph.timing import STAGES
from ..mpi.teams import SerialComm
from ..storage.deeprank_writer import write_graphs
from ..storage.packed_reader import PackedFile, write_clustered
from ..storage.packed_writer import ModelRecord, PackedWriter, as_bytes
from ..storage.schema import root_attributes

#: A model's name, its graph and its clusters.
Built = tuple[str, GraphArrays, Clusters]


@dataclass(frozen=True)
class DiskNeed:
    """Bytes on disk.

    Attributes
    ----------
    packed_a_shard : float
        Of a packed.h5 without models.
    packed_a_model, graphs_a_model : float
        What a model adds to packed.h5 and to graphs.h5, on average.
    """

    packed_a_shard: float
    packed_a_model: float
    graphs_a_model: float

    def of_run(self, n_models: float, n_shards: int, with_graphs: bool) -> float:
        """Bytes of a run."""
        a_model = self.packed_a_model + (self.graphs_a_model if with_graphs else 0.0)
        return n_shards * self.packed_a_shard + n_models * a_model


def measure_disk(built: Sequence[Built]) -> DiskNeed | None:
    """What some models take, by writing them as a shard's; None where there are none."""
    if not built:
        return None
    with tempfile.TemporaryDirectory() as folder:
        empty, packed = (_packed_size(Path(folder), models) for models in ([], built))
        graphs = write_graphs(str(Path(folder) / "graphs.h5"), built)
    return DiskNeed(empty, (packed - empty) / len(built), graphs / len(built))


def _packed_size(folder: Path, models: Sequence[Built]) -> int:
    plain, clustered = folder / "plain.h5", folder / "packed.h5"
    widths = {"model/name": max((len(as_bytes(name)) for name, _, _ in models), default=1), "model/source": 1}
    writer = PackedWriter(str(plain), SerialComm(), root_attributes("{}", "", ""), widths, rounds=1)
    no_time = (0.0,) * len(STAGES)
    writer.append([ModelRecord(i, name, "", "", 0, 0, no_time, graph) for i, (name, graph, _) in enumerate(models)])
    writer.close()
    with PackedFile(plain) as packed:
        write_clustered(packed, clustered, {i: clusters for i, (_, _, clusters) in enumerate(models)})
    plain.unlink()
    return clustered.stat().st_size
