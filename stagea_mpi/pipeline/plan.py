"""What a run would do: its inputs and shards, and what they cost, measured on a few of them."""

import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..config.run_config import RunConfig, StageA
from ..config.values import duration, time_limit_seconds
from ..inputs import RunNames
from ..inputs.discovery import USUAL_PATTERNS
from ..inputs.layouts import layout
from ..mpi.teams import SerialComm
from ..rundir.folders import RunFolder
from ..rundir.sharding import ShardPlan, plan_shards
from .forecast import UsefulRanks, file_system_of, nodes_of, team_sizes, useful_ranks
from .references import references_of
from .sample import Sample, take_sample
from .simulation import Schedule, StageCosts, simulate
from .team_choice import TeamChoice, choose, survey

#: A rank's memory (MB) beyond what the sample shows: MPI, a second process, its children, a round of finished graphs.
_MEMORY_MARGIN_MB = 100


@dataclass(frozen=True)
class Plan:
    """What a run would do and take.

    Attributes
    ----------
    n_files, input_bytes : int
    n_models : int
        About.
    layouts : tuple of str
        The programs whose output the input is.
    left_out : dict of str to int
        By endings, files that could be read and are no models of these.
    said_of_left_out : str
        The same for people.
    n_targets : int
    shard_files, shard_bytes : list of int
        Of each shard.
    sample : Sample
    n_jobs, ranks, ranks_on_node : int
        Jobs at once; ranks of each, and those of one of its nodes.
    alone, schedule : Schedule
        Of one rank, and of all ranks of all jobs.
    teams : str
        How the ranks of a job are divided, and why.
    useful : UsefulRanks
    memory_a_rank_mb : float
    disk_bytes : float or None
        Of all shards; None where no model of the sample has a graph.
    asked_time, asked_memory : (str, str)
        What `submit` asks for, and the key that says so.
    """

    n_files: int
    input_bytes: int
    n_models: int
    layouts: tuple[str, ...]
    left_out: dict[str, int]
    said_of_left_out: str
    n_targets: int
    shard_files: list[int]
    shard_bytes: list[int]
    sample: Sample
    n_jobs: int
    ranks: int
    ranks_on_node: int
    alone: Schedule
    schedule: Schedule
    teams: str
    useful: UsefulRanks
    memory_a_rank_mb: float
    disk_bytes: float | None
    asked_time: tuple[str, str]
    asked_memory: tuple[str, str]

    @property
    def memory_gb(self) -> float:
        """Of a node's ranks."""
        return self.ranks_on_node * self.memory_a_rank_mb / 1024


def plan_run(config: RunConfig) -> Plan:
    """Reads the references, lists the input, cuts it into shards, computes a few models, and simulates the run.

    Raises
    ------
    ConfigError
        There is nothing to run, or a reference cannot be used.
    """
    references_of(SerialComm(), config)  # a run that cannot use them ends before its first shard
    plan, stage = plan_shards(config), config.stage_a
    sample, names = take_sample(config, plan), RunNames(plan.params)
    a_file = sample.n_models / max(sample.n_files, 1)
    files = plan.shards.n_files
    models = [max(1, round(a_file * n)) for n in files]
    n_models = round(a_file * sum(files))
    # What `submit` asks for: so many ranks a job, and so many jobs at once; but no more ranks than models.
    n_jobs = min(len(files), config.max_concurrent_a) if stage.job_form == "array" else 1
    ranks = min(stage.nodes * stage.tasks_per_node, max(1, n_models))
    nodes = nodes_of(ranks, stage.tasks_per_node)
    teams, sizes = _teams(config, plan, nodes, n_jobs)
    schedule = _simulated(config, sample.costs, models, sizes * n_jobs, len(nodes) * n_jobs)
    disk = sample.disk
    return Plan(
        n_files=sum(files),
        input_bytes=sum(plan.sizes),
        n_models=n_models,
        layouts=tuple(plan.params["layouts"]),
        left_out=plan.left_out,
        said_of_left_out=plan.said_of_left_out,
        n_targets=_n_targets(plan, names),
        shard_files=files,
        shard_bytes=plan.sizes,
        sample=sample,
        n_jobs=n_jobs,
        ranks=ranks,
        ranks_on_node=min(stage.tasks_per_node, max(1, n_models)),
        alone=_simulated(config, sample.costs, models, [1], 1),
        schedule=schedule,
        teams=teams,
        useful=useful_ranks(
            sample.costs,
            models,
            stage.tasks_per_node,
            team=1 if config.phase == "cluster_only" else stage.team,
            held=stage.graph_result_queue_maxsize,
        ),
        memory_a_rank_mb=sample.memory_mb + _MEMORY_MARGIN_MB,
        disk_bytes=disk.of_run(n_models, len(files), stage.write_graphs) if disk else None,
        asked_time=_asked(stage, "time", stage.time),
        asked_memory=_asked(stage, "mem", f"{stage.mem_gb:g} GB"),
    )


def _simulated(
    config: RunConfig, costs: StageCosts, models: Sequence[int], teams: Sequence[int], n_nodes: int
) -> Schedule:
    held = config.stage_a.graph_result_queue_maxsize
    return simulate(costs, models, teams, held=held, file_system=file_system_of(n_nodes), n_nodes=n_nodes)


def _n_targets(plan: ShardPlan, names: RunNames) -> int:
    found: set[str] = set()
    for path in plan.shards.paths:
        inside = plan.archives.get(path)
        if inside is None:
            found.add(names.of(path).place.target)
        else:
            found |= {names.target(target, folder) for target, folder in inside}
    return len(found)


def _teams(config: RunConfig, plan: ShardPlan, nodes: list[int], n_jobs: int) -> tuple[str, list[int]]:
    """How the ranks of a job are divided, as text and as ranks of each team."""
    stage, n_shards = config.stage_a, len(plan.shards)
    if config.phase == "cluster_only":
        return "each rank is one: cluster_only is the work of first ranks", [1] * sum(nodes)
    folder, a_shard = RunFolder(config.run_root), sum(plan.shards.n_files) / n_shards
    choice: TeamChoice = choose(
        folder, nodes, [survey(folder, range(0, n_shards, n_jobs), config.phase)], models_a_shard=a_shard
    )
    said = f"{stage.team} (stage_a.team)" if stage.team != "auto" else str(choice)
    return said, team_sizes(nodes, stage.team, choice.n_shards, choice.costs)


def describe_plan(plan: Plan, config: RunConfig, config_path: str) -> str:
    """The plan as text: inputs, shards, estimated time and memory, a suggested srun line."""
    stage, sample, costs = config.stage_a, plan.sample, plan.sample.costs
    time, mem = plan.asked_time[0], plan.asked_memory[0]
    launcher = "srun" if stage.use_srun_bind else "mpiexec"
    on_ranks = f"{duration(plan.schedule.wall_s)} on {plan.ranks} ranks"
    if plan.n_jobs > 1:
        on_ranks = f"{duration(plan.schedule.wall_s)} in {plan.n_jobs} jobs of {plan.ranks} ranks"
    lines = [
        f"input    {plan.n_files} files, {_bytes(plan.input_bytes)}, below {config.pdb_root} "
        f"({_chosen_by(plan, stage)})",
        *([f"left out {plan.said_of_left_out}"] if plan.left_out else []),
        f"models   about {plan.n_models}, of {plan.n_targets} target{'s' * (plan.n_targets != 1)}; "
        f"chains: {config.chains}",
        *([] if config.reference is None else [f"reference {config.reference}"]),
        *([f"scores   {', '.join(sample.scores)}"] if sample.scores else []),
        f"shards   {len(plan.shard_files)} of {_range(plan.shard_files)} files, "
        f"{_bytes(min(plan.shard_bytes))} to {_bytes(max(plan.shard_bytes))}",
        f"output   {config.run_root}",
        f"cost     {sample.model_s:.3f} s a model on one core of this machine, {costs.finish_s:.3f} s of them on the "
        f"first rank of its team (measured on {sample.n_models} models); {sample.seconds_per_sequence:.3f} s a "
        "distinct sequence",
        f"time     {duration(plan.alone.wall_s)} on one rank, {on_ranks} (asked for: {time})",
        f"teams    {plan.teams}",
        f"useful   {_useful(plan.useful)}",
        f"memory   {plan.memory_a_rank_mb:.0f} MB a rank, {plan.memory_gb:.1f} GB for {plan.ranks_on_node} ranks"
        f"{' of a node' * (stage.nodes > 1)} (asked for: {mem})",
        f"{launcher:<8} {launch_line(stage, plan.ranks, config_path)}",
        *_disk_line(plan, stage.write_graphs),
        *(f"note     {note}" for note in plan_notes(plan, config)),
    ]
    return "\n".join(lines)


def plan_facts(plan: Plan, config: RunConfig, config_path: str) -> dict[str, Any]:
    """The plan for scripts: the keys of docs/json.md, with numbers, texts, a list of them, and None for the unknown."""
    stage, sample, disk = config.stage_a, plan.sample, plan.sample.disk
    (time, time_key), (mem, mem_key) = plan.asked_time, plan.asked_memory
    return {
        "pdb_root": str(config.pdb_root),
        "run_root": str(config.run_root),
        "input_files": plan.n_files,
        "input_bytes": plan.input_bytes,
        "models": plan.n_models,
        "layouts": list(plan.layouts),
        "left_out_files": sum(plan.left_out.values()),
        "targets": plan.n_targets,
        "scores": list(sample.scores),
        "shards": len(plan.shard_files),
        "shard_files_min": min(plan.shard_files),
        "shard_files_max": max(plan.shard_files),
        "shard_bytes_min": min(plan.shard_bytes),
        "shard_bytes_max": max(plan.shard_bytes),
        "sampled_models": sample.n_models,
        "sampled_failures": sample.n_failed,
        "model_s": round(sample.model_s, 6),
        "model_first_rank_s": round(sample.costs.finish_s, 6),
        "sequence_s": round(sample.seconds_per_sequence, 6),
        "jobs": plan.n_jobs,
        "nodes_a_job": len(nodes_of(plan.ranks, stage.tasks_per_node)),
        "ranks_a_job": plan.ranks,
        "ranks_a_node": plan.ranks_on_node,
        "cores_a_rank": stage.cores_per_rank,
        "teams": plan.teams,
        "one_rank_s": round(plan.alone.wall_s, 3),
        "all_ranks_s": round(plan.schedule.wall_s, 3),
        "useful_ranks": plan.useful.ranks,
        "useful_ranks_because": plan.useful.because,
        "memory_a_rank_mb": round(plan.memory_a_rank_mb, 1),
        "memory_a_node_gb": round(plan.memory_gb, 3),
        "disk_bytes": _whole(plan.disk_bytes),
        "packed_bytes_a_model": _whole(disk.packed_a_model if disk else None),
        "graphs_bytes_a_model": _whole(disk.graphs_a_model if disk else None),
        "asked_time_s": _finite(_seconds(time)),
        "asked_time_key": time_key,
        "asked_memory_gb": _finite(_gigabytes(mem)),
        "asked_memory_key": mem_key,
        "command": launch_line(stage, plan.ranks, config_path),
        "notes": plan_notes(plan, config),
    }


def plan_notes(plan: Plan, config: RunConfig) -> list[str]:
    """What is odd about the sampled models, and what does not fit what the configuration asks for."""
    stage, sample, n_ranks = config.stage_a, plan.sample, plan.n_jobs * plan.ranks
    (time, time_key), (mem, mem_key) = plan.asked_time, plan.asked_memory
    notes = [f"of the sampled models one fails: {message}" for message in sample.failures]
    notes += [f"of the sampled models one looks odd: {note}" for note in sample.notes]
    if n_ranks > plan.useful.ranks:
        notes.append(f"{n_ranks} ranks are asked for, more than the {plan.useful.ranks} that are of use")
    if plan.memory_gb > _gigabytes(mem):
        notes.append(f"{mem_key}: {mem} is too little; set it to {math.ceil(plan.memory_gb * 1.1)}")
    if plan.schedule.wall_s > _seconds(time) - stage.signal_ahead_s:
        notes.append(
            f"{time_key}: {time} is too little for {duration(plan.schedule.wall_s)}, with signal_ahead_s = "
            f"{stage.signal_ahead_s} before its end; a job would be requeued, {stage.requeue_limit} times at most"
        )
    return notes


def _chosen_by(plan: Plan, stage: StageA) -> str:
    """What of the input folder counts, and why."""
    programs = ", ".join(layout(name).program for name in plan.layouts)
    if stage.glob:
        return ", ".join(stage.glob) + (f"; output of {programs}" if programs else "")
    return f"models of {programs}" if programs else ", ".join(USUAL_PATTERNS)


def _useful(useful: UsefulRanks) -> str:
    if not useful.because:
        return f"{useful.ranks} ranks and perhaps more"
    return f"up to {useful.ranks} ranks; twice as many gain less than 10 %: {useful.because}"


def _disk_line(plan: Plan, with_graphs: bool) -> list[str]:
    disk = plan.sample.disk
    if disk is None or plan.disk_bytes is None:
        return []
    packed, graphs = _bytes(disk.packed_a_model), _bytes(disk.graphs_a_model)
    apart = "" if with_graphs else " once it is exported (write_graphs: 0), which is not counted"
    return [
        f"disk     about {_bytes(plan.disk_bytes)}: a model takes {packed} in packed.h5, {graphs} in graphs.h5{apart}"
    ]


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


def _whole(n: float | None) -> int | None:
    return None if n is None else round(n)


def _finite(n: float) -> float | None:
    """JSON has no infinity."""
    return n if math.isfinite(n) else None


def _bytes(n: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"


def _range(values: list[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else f"{min(values)} to {max(values)}"
