"""How much disk the graphs of a run take, and how long their files take to write, measured on a few of them."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from ..graph.interface_graph import Clusters, GraphArrays
from ..graph.timing import STAGES
from ..mpi.teams import SerialComm
from ..storage.deeprank_writer import write_graphs
from ..storage.packed_copy import write_clustered
from ..storage.packed_reader import PackedFile
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
    finish_s : float
        Seconds a model in which a team's first rank writes them, clusters included.
    """

    packed_a_shard: float
    packed_a_model: float
    graphs_a_model: float
    finish_s: float = 0.0

    def of_run(self, n_models: float, n_shards: int, with_graphs: bool) -> float:
        """Bytes of a run."""
        a_model = self.packed_a_model + (self.graphs_a_model if with_graphs else 0.0)
        return n_shards * self.packed_a_shard + n_models * a_model


def measure_disk(built: Sequence[Built], *, with_graphs: bool = True) -> DiskNeed | None:
    """What some models take, by writing them as a shard's; None where there are none.

    `with_graphs` says whether the seconds are those of graphs.h5, too.
    """
    if not built:
        return None
    with tempfile.TemporaryDirectory() as folder:
        (empty, _), (packed, finish_s) = (_packed_size(Path(folder), models) for models in ([], built))
        start = perf_counter()
        graphs = write_graphs(str(Path(folder) / "graphs.h5"), built)
        finish_s += perf_counter() - start if with_graphs else 0.0
    return DiskNeed(empty, (packed - empty) / len(built), graphs / len(built), finish_s / len(built))


def _packed_size(folder: Path, models: Sequence[Built]) -> tuple[int, float]:
    """Bytes of a packed.h5 with clusters, and seconds in which these were added."""
    plain, clustered = folder / "plain.h5", folder / "packed.h5"
    widths = {"model/name": max((len(as_bytes(name)) for name, _, _ in models), default=1), "model/source": 1}
    writer = PackedWriter(str(plain), SerialComm(), root_attributes("{}", "", ""), widths, rounds=1)
    no_time = (0.0,) * len(STAGES)
    writer.append([ModelRecord(i, name, "", "", 0, 0, no_time, graph) for i, (name, graph, _) in enumerate(models)])
    writer.close()
    start = perf_counter()
    with PackedFile(plain) as packed:
        write_clustered(packed, clustered, {i: clusters for i, (_, _, clusters) in enumerate(models)})
    seconds = perf_counter() - start
    plain.unlink()
    return clustered.stat().st_size, seconds
