"""One model, from its file to its graph and its scores: everything in it that can fail, and nothing of MPI or HDF5."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..antibody.chain_checking import antibody_regions
from ..antibody.complexes import merge_chains
from ..errors import LaunchError, ModelError
from ..graph.interface_graph import GraphArrays, build_graph
from ..graph.left_out import left_out
from ..graph.quality import UNKNOWN_QUALITY, Quality, assess
from ..graph.timing import StageClock
from ..inputs import read_model
from ..inputs.containers import text_of
from ..inputs.layouts.layout import Scores
from ..inputs.unpacking import readable
from ..mpi.guard import time_limit
from .confidences import confidences_of
from .inventory import ModelEntry, unexpected
from .program_scores import has_plddt, program_scores


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
    scores : mapping of str to float
        What the program that made the model says of it, and what follows from that.
    score_problem : str
        What of it could not be read.
    """

    graph: GraphArrays | None
    quality: Quality
    seconds: tuple[float, ...]
    failure: ModelError | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    score_problem: str = ""


def compute_model(entry: ModelEntry, timeout: float, b_factors: bool = False) -> ModelResult:
    """The graph of one model, or its failure, and its scores.

    Parameters
    ----------
    entry : ModelEntry
        One without a failure, and with its domains.
    timeout : float
        Seconds.
    b_factors : bool
        Whether the graph is to have those of its nodes.
    """
    clock, said = StageClock(), Scores()
    try:
        with time_limit(timeout, entry.ref.name):
            with readable(entry.ref.source):
                text = text_of(entry.ref)
            atoms = read_model(entry.ref, text)
            chains, domains = entry.known_chains, entry.known_domains
            complex_ = merge_chains(atoms, chains, entry.ref.name)
            clock.lap("read")
            said = program_scores(entry.ref, text)
            clock.lap("scores")
            region = antibody_regions(complex_, domains)
            graph = build_graph(complex_, region, clock)
            quality = assess(complex_, graph, domains, left_out(atoms, chains))
            clock.lap("edges")
            scores, problems = confidences_of(said, has_plddt(entry.ref), atoms, chains, complex_, graph, region)
            clock.lap("scores")
            if b_factors:
                graph = replace(graph, b_factor=complex_.b_factor[graph.serial - 1])
            return ModelResult(graph, quality, tuple(clock.seconds.values()), None, scores, "; ".join(problems))
    except ModelError as found:
        failure = found
    except LaunchError:
        raise
    except Exception as bug:
        failure = unexpected(bug, entry.ref.name, "graph")
    return ModelResult(
        None, UNKNOWN_QUALITY, tuple(clock.seconds.values()), failure, said.values, "; ".join(said.problems)
    )
