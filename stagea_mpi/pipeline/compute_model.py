"""One model, from its file to its graph: everything in it that can fail, and nothing of MPI or HDF5."""

from dataclasses import dataclass

from ..antibody.chain_checking import antibody_regions
from ..antibody.complexes import merge_chains
from ..errors import LaunchError, ModelError
from ..graph.interface_graph import GraphArrays, build_graph
from ..graph.left_out import left_out
from ..graph.quality import UNKNOWN_QUALITY, Quality, assess
from ..graph.timing import StageClock
from ..inputs import read_model
from ..mpi.guard import time_limit
from .inventory import ModelEntry, unexpected


@dataclass(frozen=True)
class ModelResult:
    """What became of one model.

    Attributes
    ----------
    graph : GraphArrays or None
    quality : Quality
    seconds : tuple of float
        By stage, in the order of `graph.timing.STAGES`.
    failure : ModelError or None
        Why there is no graph.
    """

    graph: GraphArrays | None
    quality: Quality
    seconds: tuple[float, ...]
    failure: ModelError | None = None


def compute_model(entry: ModelEntry, timeout: float) -> ModelResult:
    """The graph of one model, or its failure.

    Parameters
    ----------
    entry : ModelEntry
        One without a failure, and with its domains.
    timeout : float
        Seconds.
    """
    clock = StageClock()
    try:
        with time_limit(timeout, entry.ref.name):
            atoms = read_model(entry.ref)
            complex_ = merge_chains(atoms, entry.known_chains, entry.ref.name)
            clock.lap("read")
            graph = build_graph(complex_, antibody_regions(complex_, entry.known_domains), clock)
            quality = assess(complex_, graph, entry.known_domains, left_out(atoms, entry.known_chains))
            return ModelResult(graph, quality, tuple(clock.seconds.values()))
    except ModelError as found:
        failure = found
    except LaunchError:
        raise
    except Exception as bug:
        failure = unexpected(bug, entry.ref.name, "graph")
    return ModelResult(None, UNKNOWN_QUALITY, tuple(clock.seconds.values()), failure)
