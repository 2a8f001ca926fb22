"""What a run would do: its inputs and shards, and what they cost, measured on a few of them."""

import math
import re
import resource
import shlex
from dataclasses import dataclass
from time import perf_counter

from ..antibody.hmm_search import anarci_module
from ..config.run_config import RunConfig, StageA
from ..config.values import duration, time_limit_seconds
from ..graph.clustering import cluster_two_depths
from ..inputs import RunNames
from ..mpi.team_sizes import sizes_of_teams
from ..mpi.teams import SerialComm
from ..rundir.folders import RunFolder
from ..rundir.sharding import ShardPlan, plan_shards
from .build_shard import build_model
from .disk import Built, DiskNeed, measure_disk
from .inventory import ModelEntry, list_shard, with_domains
from .shared_numbering import Numbering
from .team_choice import choose, survey

#: Files that are computed to learn what a model costs.
N_SAMPLES = 3
#: A rank's memory (MB) beyond what the sample shows: MPI, a second process, its children, a round of finished graphs.
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
    disk : DiskNeed or None
        Of those that have a graph.
    """

    n_models: int
    n_failed: int
    seconds_per_file: float
    seconds_per_sequence: float
    sequences_per_model: float
    memory_mb: float
    failures: list[str]
    notes: list[str]
    disk: DiskNeed | None = None


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
    built: list[Built] = []
    for entry in good:
        failures += _cost_of_one(entry, config, built)
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
        disk=measure_disk(built),
    )


def _cost_of_one(entry: ModelEntry, config: RunConfig, built: list[Built]) -> list[str]:
    record, failure = build_model(entry, 0, 0, config.stage_a.model_timeout_s, config.stage_a.model_max_atoms)
    if failure is not None:
        return [failure.message]
    if record.graph is not None:
        clusters = cluster_two_depths(len(record.graph), record.graph.internal.nodes)
        built.append((record.name, record.graph, clusters))
    return []


def describe_plan(config: RunConfig, config_path: str) -> str:
    """The plan as text: inputs, shards, estimated time and memory, a suggested srun line.

    Raises
    ------
    ConfigError
        There is nothing to run.
    """
    plan, stage = plan_shards(config), config.stage_a
    cost = measure_cost(config, plan)
    n_files, n_bytes = plan.params["n_files"], sum(plan.sizes)
    per_file = cost.n_models / min(n_files, N_SAMPLES)
    n_models = n_files * per_file
    sequences = 2 if cost.sequences_per_model <= 2 and cost.n_models > 1 else cost.sequences_per_model * n_models
    core_seconds = n_files * cost.seconds_per_file + sequences * cost.seconds_per_sequence
    # What `submit` asks for: so many ranks a job, and so many jobs at once; but no more ranks than models.
    n_jobs = min(len(plan.shards), config.max_concurrent_a) if stage.job_form == "array" else 1
    on_node = min(stage.tasks_per_node, max(1, round(n_models)))
    ranks = min(stage.nodes * stage.tasks_per_node, max(1, round(n_models)))
    memory = on_node * (cost.memory_mb + _MEMORY_MARGIN_MB) / 1024
    job_seconds = core_seconds / ranks / n_jobs
    together = f", {duration(job_seconds)} in {n_jobs} jobs of as many" if n_jobs > 1 else ""
    (time, time_key), (mem, mem_key) = _asked(stage, "time", stage.time), _asked(stage, "mem", f"{stage.mem_gb:g} GB")
    launcher = "srun" if stage.use_srun_bind else "mpiexec"
    lines = [
        f"input    {n_files} files, {_bytes(n_bytes)}, below {config.pdb_root} ({', '.join(stage.glob)})",
        f"models   about {n_models:.0f}; chains: {config.chains}",
        f"shards   {len(plan.shards)} of {_range([len(paths) for paths in plan.shards])} files, "
        f"{_bytes(min(plan.sizes))} to {_bytes(max(plan.sizes))}",
        f"output   {config.run_root}",
        f"cost     {cost.seconds_per_file:.3f} s a file on one core of this machine "
        f"(measured on {cost.n_models} models), {cost.seconds_per_sequence:.3f} s a distinct sequence",
        f"time     {duration(core_seconds)} on one rank, {duration(core_seconds / ranks)} on {ranks} ranks{together} "
        f"(asked for: {time})",
        f"teams    {_teams(config, len(plan.shards), n_jobs, ranks)}",
        f"memory   {cost.memory_mb + _MEMORY_MARGIN_MB:.0f} MB a rank, {memory:.1f} GB for {on_node} ranks"
        f"{' of a node' * (stage.nodes > 1)} (asked for: {mem})",
        f"{launcher:<8} {launch_line(stage, ranks, config_path)}",
    ]
    lines += _disk_line(cost, n_models, len(plan.shards), stage.write_graphs)
    lines += [f"note     of the sampled models one fails: {message}" for message in cost.failures]
    lines += [f"note     of the sampled models one looks odd: {note}" for note in cost.notes]
    if memory > _gigabytes(mem):
        lines.append(f"note     {mem_key}: {mem} is too little; set it to {math.ceil(memory * 1.1)}")
    if job_seconds > _seconds(time) - stage.signal_ahead_s:
        lines.append(
            f"note     {time_key}: {time} is too little for {duration(job_seconds)}, with signal_ahead_s = "
            f"{stage.signal_ahead_s} before its end; a job would be requeued, {stage.requeue_limit} times at most"
        )
    return "\n".join(lines)


def _disk_line(cost: Cost, n_models: float, n_shards: int, with_graphs: bool) -> list[str]:
    if cost.disk is None:
        return []
    size = _bytes(cost.disk.of_run(n_models, n_shards, with_graphs))
    packed, graphs = _bytes(cost.disk.packed_a_model), _bytes(cost.disk.graphs_a_model)
    apart = "" if with_graphs else " once it is exported (write_graphs: 0), which is not counted"
    return [f"disk     about {size}: a model takes {packed} in packed.h5, {graphs} in graphs.h5{apart}"]


def _teams(config: RunConfig, n_shards: int, n_jobs: int, ranks: int) -> str:
    """How the ranks of a job are divided."""
    stage = config.stage_a
    if config.phase == "cluster_only":
        return "each rank is one: cluster_only is the work of first ranks"
    if stage.team != "auto":
        return f"{stage.team} (stage_a.team)"
    folder, n_nodes = RunFolder(config.run_root), min(stage.nodes, ranks)
    return str(
        choose(folder, sizes_of_teams(ranks, n_nodes), [survey(folder, range(0, n_shards, n_jobs), config.phase)])
    )


def launch_line(stage: StageA, ranks: int, config_path: str) -> str:
    """The command that starts so many ranks as the job script would, to be typed into a shell."""
    if stage.use_srun_bind:
        launcher = ["srun", *([f"--mpi={stage.srun_mpi}"] if stage.srun_mpi else []), f"--ntasks={ranks}"]
        launcher += [f"--cpus-per-task={stage.cores_per_rank}", f"--cpu-bind={stage.srun_cpu_bind}"]
        if stage.nodes > 1:
            launcher.insert(1, f"--nodes={min(stage.nodes, ranks)}")
    else:
        launcher = ["mpiexec", "-n", str(ranks), "--bind-to", "none"]
    return shlex.join([*launcher, "python", "-m", "stagea_mpi", "run", str(config_path)])


def _asked(stage: StageA, option: str, own: str) -> tuple[str, str]:
    """What `submit` asks for, and the key that says so: `sbatch_options` beat the others."""
    further = {name: value for name, _, value in (text.partition("=") for text in stage.sbatch_options)}
    if f"--{option}" in further:
        return further[f"--{option}"], f"stage_a.sbatch_options: --{option}"
    return own, {"time": "stage_a.time", "mem": "stage_a.mem_gb"}[option]


def _gigabytes(size: str) -> float:
    """Of sbatch's --mem, in MB where it names no unit; infinity for 0, which is all that a node has."""
    match = re.fullmatch(r"([\d.]+) ?([KMGT]?)B?", size)
    return float(match[1]) * 1024.0 ** ("KMGT".index(match[2] or "M") - 2) or math.inf if match else math.inf


def _seconds(limit: str) -> float:
    """Of sbatch's --time; infinity for words such as UNLIMITED."""
    return time_limit_seconds(limit) if re.fullmatch(r"[\d:-]+", limit) else math.inf


def _bytes(n: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"


def _range(values: list[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else f"{min(values)} to {max(values)}"
