"""A few models of a run, computed and thrown away: what a model costs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from .. import system
from ..antibody.hmm_search import anarci_module
from ..config.run_config import RunConfig
from ..graph.clustering import cluster_two_depths
from ..inputs import RunNames
from ..mpi.teams import SerialComm
from ..rundir.sharding import ShardPlan
from .build_shard import build_model
from .disk import Built, DiskNeed, measure_disk
from .inventory import ModelEntry, list_shard, with_domains
from .shared_numbering import Numbering
from .simulation import StageCosts

#: Files that are computed to learn what a model costs.
N_SAMPLES = 3
#: What a few models do not tell: writing, flushes and markers of a shard, start-up; as in runs on a local disk.
USUAL = StageCosts(model_s=(0.025,), write_s=0.0004, open_s=0.004, publish_s=0.02, finish_shard_s=0.03, startup_s=2.5)


@dataclass(frozen=True)
class Sample:
    """What some models have cost on one rank of this machine.

    Attributes
    ----------
    n_files, n_models, n_failed : int
        Of the sampled files.
    costs : StageCosts
        Of a model; what a few models do not tell is as usual.
    seconds_per_sequence : float
        Numbering by ANARCI.
    memory_mb : float
        Peak of this process.
    failures : list of str
        What the failed models said.
    notes : list of str
        What is odd about the chains of the others, or could not be read of their scores.
    disk : DiskNeed or None
        Of those that have a graph.
    scores : tuple of str
        Names of the scores that they have.
    """

    n_files: int
    n_models: int
    n_failed: int
    costs: StageCosts
    seconds_per_sequence: float
    memory_mb: float
    failures: list[str]
    notes: list[str]
    disk: DiskNeed | None = None
    scores: tuple[str, ...] = ()

    @property
    def model_s(self) -> float:
        """Seconds of a model on one rank, what is spent once or by shard left out."""
        return self.costs.any_s + self.costs.finish_s


def take_sample(config: RunConfig, plan: ShardPlan) -> Sample:
    """Computes the graphs of a few files, small ones and large ones, and throws them away."""
    files = plan.shards.paths
    paths = [files[place] for place in sorted({len(files) * k // N_SAMPLES for k in range(N_SAMPLES)})]
    names = RunNames(plan.params)
    anarci_module()  # which takes a while to load, once
    numbering = Numbering(SerialComm())
    start = perf_counter()
    entries = list_shard(SerialComm(), [(path, names.of(path)) for path in paths], config.chains, numbering)
    entries = with_domains(entries, numbering)
    list_s = (perf_counter() - start - numbering.seconds) / max(len(entries), 1)
    failures = [str(entry.failure) for entry in entries if entry.failure is not None]
    good = [entry for entry in entries if entry.failure is None]
    built: list[Built] = []
    notes = [f"{entry.ref.name}: {note}" for entry in good for note in entry.notes]
    scores: set[str] = set()
    model_s, cluster_s = [], 0.0
    for entry in good:
        start = perf_counter()
        record, failure = build_model(entry, 0, 0, config.stage_a.model_timeout_s, config.stage_a.model_max_atoms)
        model_s.append(perf_counter() - start)
        if failure is not None:
            failures.append(failure.message)
        if record.score_problem:
            notes.append(f"{record.name}: {record.score_problem}")
        scores |= record.scores.keys()
        if record.graph is not None:
            start = perf_counter()
            built.append(
                (record.name, record.graph, cluster_two_depths(len(record.graph), record.graph.internal.nodes))
            )
            cluster_s += perf_counter() - start
    disk = measure_disk(built, with_graphs=config.stage_a.write_graphs)
    sequence_s, new = numbering.seconds / max(numbering.n_numbered, 1), new_sequences(good)
    costs = replace(
        USUAL,
        model_s=tuple(sorted(model_s)) or (0.0,),
        list_s=list_s + new * sequence_s,
        number_s=(numbering.n_numbered - new * max(len(good) - 1, 0)) * sequence_s,
        finish_s=(cluster_s / len(built) + disk.finish_s) if disk else 0.0,
        read_bytes=sum(plan.sizes) / len(files) * len(paths) / max(len(entries), 1),
        packed_bytes=disk.packed_a_model if disk else 0.0,
        graphs_bytes=disk.graphs_a_model if disk and config.stage_a.write_graphs else 0.0,
    )
    return Sample(
        n_files=len(paths),
        n_models=len(entries),
        n_failed=len(failures),
        costs=costs,
        seconds_per_sequence=sequence_s,
        memory_mb=system.peak_memory() / 2**20,
        failures=failures,
        notes=notes,
        disk=disk,
        scores=tuple(sorted(scores)),
    )


def new_sequences(entries: Sequence[ModelEntry]) -> float:
    """Sequences that a model has and none before it had, on average over all but the first.

    Docking poses share theirs, designs have each their own.
    """
    known: set[str] = set()
    new = []
    for entry in entries:
        own = {sequence for sequence in (entry.heavy, entry.light, *entry.antigen) if sequence}
        new.append(len(own - known))
        known |= own
    return sum(new[1:]) / max(len(new) - 1, 1)
