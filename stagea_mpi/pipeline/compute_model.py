"""One model, from its file to its graph and its scores: everything in it that can fail, and nothing of MPI or HDF5."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter

from ..antibody.chain_checking import antibody_imgt, antibody_regions
from ..antibody.complexes import Complex, merge_chains
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
from ..mpi.worker import GRACE_S
from .comparison import Comparison, compare
from .confidences import confidences_of
from .inventory import ModelEntry, unexpected
from .program_scores import has_plddt, program_scores
from .reference import Reference


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
    comparison : Comparison or None
        How near it is to its reference; None without one.
    """

    graph: GraphArrays | None
    quality: Quality
    seconds: tuple[float, ...]
    failure: ModelError | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    score_problem: str = ""
    comparison: Comparison | None = None


def compute_model(
    entry: ModelEntry, timeout: float, b_factors: bool = False, reference: Reference | Comparison | None = None
) -> ModelResult:
    """The graph of one model, or its failure, its scores, and how near it is to its reference.

    Parameters
    ----------
    entry : ModelEntry
        One without a failure, and with its domains.
    timeout : float
        Seconds.
    b_factors : bool
        Whether the graph is to have those of its nodes.
    reference : Reference or Comparison, optional
        What it is compared with, also where there is no interface; or what a comparison gives that cannot be made.
    """
    clock, said, start = StageClock(), Scores(), perf_counter()
    complex_: Complex | None = None
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
            graph, quality, failure = None, UNKNOWN_QUALITY, None
            try:
                graph = build_graph(complex_, region, antibody_imgt(complex_, domains), clock)
                quality = assess(complex_, graph, domains, left_out(atoms, chains))
            except ModelError as found:
                if found.reason != "no_interface":
                    raise
                failure = found  # what its program says of the pairs of chains holds all the same
            clock.lap("edges")
            scores, problems = confidences_of(said, has_plddt(entry.ref), atoms, chains, complex_, graph, region)
            clock.lap("scores")
            if b_factors and graph is not None:
                graph = replace(graph, b_factor=complex_.b_factor[graph.serial - 1])
            result = ModelResult(graph, quality, (), failure, scores, "; ".join(problems))
    except ModelError as found:
        result = ModelResult(None, UNKNOWN_QUALITY, (), found, said.values, "; ".join(said.problems))
    except LaunchError:
        raise
    except Exception as bug:
        failure = unexpected(bug, entry.ref.name, "graph")
        result = ModelResult(None, UNKNOWN_QUALITY, (), failure, said.values, "; ".join(said.problems))
    comparison = None
    if reference is not None:
        # What is left of the time, or of what the worker process is given beyond it.
        limit = max(timeout - (perf_counter() - start), GRACE_S / 2)
        comparison = _compared(entry, complex_, reference, result.failure, limit)
        clock.lap("scores")
    return replace(result, seconds=tuple(clock.seconds.values()), comparison=comparison)


def compare_model(entry: ModelEntry, timeout: float, reference: Reference | Comparison) -> Comparison:
    """A model beside its reference, without its graph; parameters are those of `compute_model`."""
    complex_, failure = None, None
    try:
        with time_limit(timeout, entry.ref.name):
            complex_ = merge_chains(read_model(entry.ref), entry.known_chains, entry.ref.name)
    except ModelError as found:
        failure = found
    except Exception as bug:
        failure = unexpected(bug, entry.ref.name, "read")
    return _compared(entry, complex_, reference, failure, timeout)


def _compared(
    entry: ModelEntry,
    complex_: Complex | None,
    reference: Reference | Comparison,
    failure: ModelError | None,
    timeout: float,
) -> Comparison:
    """The comparison, which costs a model nothing where it fails."""
    if isinstance(reference, Comparison):
        return reference
    if complex_ is None:
        return not_compared(failure)
    try:
        with time_limit(timeout, entry.ref.name):
            return compare(reference, complex_)
    except ModelError as problem:
        return Comparison(problem=str(problem))
    except Exception as bug:
        return Comparison(problem=f"error of the program: {unexpected(bug, entry.ref.name, 'scores')}")


def not_compared(failure: ModelError | None) -> Comparison:
    """What is said of a model of which there is no complex to be compared."""
    return Comparison(problem=f"the model could not be read as a complex ({failure.reason if failure else 'unknown'})")
