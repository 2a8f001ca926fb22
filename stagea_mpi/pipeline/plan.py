"""What a run would do: its inputs and shards, and what they cost, measured on a few of them."""

import resource
from dataclasses import dataclass
from time import perf_counter

from ..antibody.hmm_search import anarci_module
from ..config.run_config import RunConfig
from ..graph.clustering import cluster_two_depths
from ..inputs import RunNames
from ..mpi.teams import SerialComm
from ..rundir.sharding import ShardPlan, plan_shards
from .build_shard import build_model
from .inventory import ModelEntry, list_shard, with_domains
from .shared_numbering import Numbering

#: Files that are computed to learn what a model costs.
N_SAMPLES = 3
#: A rank's memory (MB) beyond what the sample shows: the MPI library, and a round of finished graphs.
_MEMORY_MARGIN_MB = 100


@dataclass(frozen=True)
class Cost:
    """What the sampled models cost on one rank of this machine.

    Attributes
    ----------
    n_models, n_failed : int
        Of the sampled files.
    seconds_per_file : float
        Reading, graph and clusters; the numbering of sequences not included.
    seconds_per_sequence : float
        Numbering by ANARCI.
    sequences_per_model : float
        Distinct sequences in the sample; docking models share theirs.
    memory_mb : float
        Peak of this process.
    failures : list of str
        What the failed models said.
    notes : list of str
        What is odd about the chains of the others.
    """

    n_models: int
    n_failed: int
    seconds_per_file: float
    seconds_per_sequence: float
    sequences_per_model: float
    memory_mb: float
    failures: list[str]
    notes: list[str]


def measure_cost(config: RunConfig, plan: ShardPlan) -> Cost:
    """Computes the graphs of a few files, small ones and large ones, and throws them away."""
    files = [path for paths in plan.shards for path in paths]
    sample = sorted({files[len(files) * k // N_SAMPLES] for k in range(N_SAMPLES)})
    names = RunNames(plan.params)
    anarci_module()  # which takes a while to load, once
    numbering = Numbering(SerialComm())
    start = perf_counter()
    entries = list_shard(SerialComm(), [(path, names.of(path)) for path in sample], config.chains, numbering)
    entries = with_domains(entries, numbering)
    failures = [str(entry.failure) for entry in entries if entry.failure is not None]
    good = [entry for entry in entries if entry.failure is None]
    for entry in good:
        failures += _cost_of_one(entry, config)
    seconds = perf_counter() - start - numbering.seconds
    return Cost(
        n_models=len(entries),
        n_failed=len(failures),
        seconds_per_file=seconds / len(sample),
        seconds_per_sequence=numbering.seconds / max(numbering.n_numbered, 1),
        sequences_per_model=numbering.n_numbered / max(len(good), 1),
        memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        failures=failures,
        notes=[f"{entry.ref.name}: {note}" for entry in good for note in entry.notes],
    )


def _cost_of_one(entry: ModelEntry, config: RunConfig) -> list[str]:
    record, failure = build_model(entry, 0, 0, config.stage_a.model_timeout_s)
    if failure is not None:
        return [failure.message]
    cluster_two_depths(len(record.graph), record.graph.internal.nodes)
    return []


def describe_plan(config: RunConfig, config_path: str) -> str:
    """The plan as text: inputs, shards, estimated time and memory, a suggested srun line.

    Raises
    ------
    ConfigError
        There is nothing to run.
    """
    plan = plan_shards(config)
    cost = measure_cost(config, plan)
    n_files, n_bytes = plan.params["n_files"], sum(plan.sizes)
    per_file = cost.n_models / min(n_files, N_SAMPLES)
    sequences = (
        2 if cost.sequences_per_model <= 2 and cost.n_models > 1 else cost.sequences_per_model * n_files * per_file
    )
    core_seconds = n_files * cost.seconds_per_file + sequences * cost.seconds_per_sequence
    ranks = min(config.stage_a.cores, max(1, n_files))
    memory = ranks * (cost.memory_mb + _MEMORY_MARGIN_MB) / 1024
    lines = [
        f"input    {n_files} files, {_bytes(n_bytes)}, below {config.pdb_root} ({', '.join(config.stage_a.glob)})",
        f"models   about {n_files * per_file:.0f}; chains: {config.chains}",
        f"shards   {len(plan.shards)} of {_range([len(paths) for paths in plan.shards])} files, "
        f"{_bytes(min(plan.sizes))} to {_bytes(max(plan.sizes))}",
        f"output   {config.run_root}",
        f"cost     {cost.seconds_per_file:.3f} s a file on one core of this machine "
        f"(measured on {cost.n_models} models), {cost.seconds_per_sequence:.3f} s a distinct sequence",
        f"time     {_duration(core_seconds)} on one rank, {_duration(core_seconds / ranks)} on {ranks} ranks",
        f"memory   {cost.memory_mb + _MEMORY_MARGIN_MB:.0f} MB a rank, {memory:.1f} GB for {ranks} ranks "
        f"(asked for: {config.stage_a.mem_gb:g} GB)",
        f"srun     srun --mpi=pmix --ntasks={ranks} --cpus-per-task=1 --cpu-bind={config.stage_a.srun_cpu_bind} "
        f"python -m stagea_mpi run {config_path}",
    ]
    lines += [f"note     of the sampled models one fails: {message}" for message in cost.failures]
    lines += [f"note     of the sampled models one looks odd: {note}" for note in cost.notes]
    if memory > config.stage_a.mem_gb:
        lines.append(f"note     stage_a.mem_gb: {config.stage_a.mem_gb:g} is too little; set it to {memory * 1.1:.0f}")
    return "\n".join(lines)


def _bytes(n: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1.0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _range(values: list[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else f"{min(values)} to {max(values)}"
