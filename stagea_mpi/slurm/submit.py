"""One command submits a run: its phases as jobs or arrays that wait for each other, and the stage that follows."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ..config.chains import chains_as_dict
from ..config.paths import expanded
from ..config.run_config import RunConfig
from ..config.values import time_limit_seconds
from ..errors import ConfigError, RunFolderError, SlurmError
from ..rundir.folders import RunFolder, write_text
from ..rundir.lock import ShardLock
from ..rundir.shard_state import Published, ShardState
from ..rundir.sharding import ensure_shard_plan, plan_shards
from . import queue
from .scripts import activation, fill, log_pattern, read_script
from .submissions import Submissions


@dataclass(frozen=True)
class Job:
    """A job to submit.

    Attributes
    ----------
    role : str
        The phase, or ``after``.
    script : Path
        What is submitted.
    text : str or None
        What to write there first; None for a script of the user's that is submitted as it is.
    n_tasks : int
        Array tasks; 0 for a job that is no array.
    after : str or None
        Role of the job that has to succeed first.
    options : list of str
        Further options of sbatch.
    arguments : list of str
        Of the script.
    """

    role: str
    script: Path
    text: str | None
    n_tasks: int = 0
    after: str | None = None
    options: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)

    def sbatch_arguments(self, first_id: str) -> list[str]:
        """What follows `sbatch` on the command line.

        Parameters
        ----------
        first_id : str
            Id of the job that has to succeed first, or what stands for it.
        """
        found = ["--parsable"]
        if self.n_tasks:
            found.append(f"--array=0-{self.n_tasks - 1}")
        if self.after:
            # Without the second, a job whose dependency has failed waits in the queue for ever.
            found += [f"--dependency=afterok:{first_id}", "--kill-on-invalid-dep=yes"]
        return [*found, *self.options, str(self.script), *self.arguments]


def submit(config: RunConfig, *, force: bool = False) -> list[str]:
    """Cuts the run and submits its jobs.

    Returns
    -------
    lines : list of str
        For a person: what was submitted.

    Raises
    ------
    RunFolderError
        Jobs of this run are in the queue already, or the folder holds another run.
    SlurmError
        Slurm refused; nothing stays in the queue then.
    """
    folder = RunFolder(config.run_root)
    _check_time(config)
    folder.create()
    lock = ShardLock(folder.root)
    lock.acquire()  # two submissions at once would both find the queue empty
    try:
        submissions = Submissions(folder)
        _refuse_second(folder, submissions)
        _refuse_other_chains(folder, config, force)
        n_shards = ensure_shard_plan(folder, config, force).params["n_shards"]
        if force:
            _forget(folder, n_shards)
        if _is_done(folder, config, n_shards):
            return [f"all {n_shards} shards of {folder.root} are done: nothing to submit", *_advice_on_after(config)]
        jobs = plan_jobs(folder, config, n_shards)
        return [
            *_submit_all(folder, config, jobs, submissions),
            f"watch it: python -m stagea_mpi status {folder.root} --watch",
        ]
    finally:
        lock.release()


def dry_run(config: RunConfig) -> str:
    """The shell script that does what `submit` would do: writes the job scripts and calls sbatch. Writes nothing."""
    folder = RunFolder(config.run_root)
    _check_time(config)
    jobs = plan_jobs(folder, config, plan_shards(config).params["n_shards"])
    parts = [
        "#!/bin/bash",
        "# What `python -m stagea_mpi submit` would do, after it has split the input into shards and found no job of "
        "this run in the queue.",
        "set -e",
        f"mkdir -p {shlex.quote(str(_jobs_folder(folder)))} {shlex.quote(str(folder.logs))}",
        _heredoc(_config_path(folder), _frozen(config)),
    ]
    for job in jobs:
        if job.text is not None:
            parts.append(_heredoc(job.script, job.text))
        marker = "FIRST_JOB_ID"
        command = shlex.join(["sbatch", *job.sbatch_arguments(marker)]).replace(marker, f"${{{job.after}}}")
        parts.append(f'{job.role}=$({command})\necho "{job.role}: job ${{{job.role}}}"')
    return "\n\n".join(parts)


def plan_jobs(folder: RunFolder, config: RunConfig, n_shards: int) -> list[Job]:
    """The jobs of a run, in the order in which they run.

    Parameters
    ----------
    folder : RunFolder
        Nothing is written to it.
    config : RunConfig
    n_shards : int
    """
    stage = config.stage_a
    phases = ["prep_graphs", "cluster_only"] if stage.split_mode and config.phase == "full" else [config.phase]
    n_tasks = min(n_shards, config.max_concurrent_a) if stage.job_form == "array" else 0
    jobs: list[Job] = []
    for phase in phases:
        text = _stage_a_script(folder, config, phase, max(n_tasks, 1), "%x_%A_%a.log" if n_tasks else "%x_%j.log")
        previous = jobs[-1].role if jobs else None
        jobs.append(Job(phase, _jobs_folder(folder) / f"{phase}.sbatch", text, n_tasks, previous))
    if config.after:
        jobs.append(_after(folder, config, jobs[-1].role))
    return jobs


def _stage_a_script(folder: RunFolder, config: RunConfig, phase: str, n_tasks: int, log_name: str) -> str:
    stage = config.stage_a
    header = {
        "--job-name": f"stagea_{phase}",
        "--partition": stage.partition,
        "--nodes": str(stage.nodes),
        "--ntasks-per-node": str(stage.tasks_per_node),
        "--cpus-per-task": str(stage.cores_per_rank),
        "--mem": f"{stage.mem_gb * 1024:.0f}M",
        "--time": stage.time,
        "--signal": f"B:USR1@{stage.signal_ahead_s}",
        "--output": log_pattern(folder.logs, log_name),
        **_further(config),
    }
    settings = {
        "CONFIG": shlex.quote(str(_config_path(folder))),
        "PHASE": phase,
        "ARRAY_TASKS": str(n_tasks),
        "USE_SRUN_BIND": str(int(stage.use_srun_bind)),
        "SRUN_CPU_BIND": shlex.quote(stage.srun_cpu_bind),
        "SRUN_MPI": shlex.quote(stage.srun_mpi),
        "REQUEUE_LIMIT": str(stage.requeue_limit),
    }
    text = read_script("stage_a.sbatch", stage.job_script)
    return fill(text, "stage_a.sbatch", header, settings, activation(stage.activate))


def _after(folder: RunFolder, config: RunConfig, last: str) -> Job:
    """The job that follows: a script of the user's, or a command in the script that is kept for it."""
    own = _named_script(config.after)
    if own is not None:
        text = own.read_text(encoding="utf-8", errors="replace")
        if not text.startswith("#!"):
            raise ConfigError(
                f"after: {own} does not begin with #!, so sbatch will not take it; add a line such as #!/bin/bash"
            )
        log = (
            []
            if re.search(r"(?m)^#SBATCH\s+(-o|--output)\b", text)
            else ["--output=" + log_pattern(folder.logs, "after_%j.log")]
        )
        return Job("after", own, None, 0, last, log, [str(folder.root)])
    header = {
        "--partition": config.stage_a.partition,
        "--output": log_pattern(folder.logs, "after_%j.log"),
        **_further(config),
    }
    settings = {"RUN_ROOT": shlex.quote(str(folder.root)), "AFTER": shlex.quote(config.after)}
    text = fill(read_script("after.sbatch"), "after.sbatch", header, settings, activation(config.stage_a.activate))
    return Job("after", _jobs_folder(folder) / "after.sbatch", text, 0, last)


def _named_script(after: str) -> Path | None:
    """The script that `after` names. A command is left as it is: the shell of its job replaces what is in it.

    Raises
    ------
    ConfigError
        It is a single path, of a variable that is not set, or of no file: its job would fail at the end of the run.
    """
    is_path = len(after.split()) == 1 and "/" in after
    try:
        path = expanded(after, "after")
    except ConfigError:
        if is_path:
            raise
        return None
    if path.is_file():
        return path
    if is_path:
        raise ConfigError(f"after: {path} is no file; name the script that is to follow, or write a command")
    return None


def _further(config: RunConfig) -> dict[str, str | None]:
    """`sbatch_options` as option and value."""
    pairs = (option.partition("=") for option in config.stage_a.sbatch_options)
    return {name: value if equals else None for name, equals, value in pairs}


def _submit_all(folder: RunFolder, config: RunConfig, jobs: list[Job], submissions: Submissions) -> list[str]:
    _jobs_folder(folder).mkdir(exist_ok=True)
    write_text(_config_path(folder), _frozen(config))
    ids: dict[str, str] = {}
    lines = []
    submissions.begin()
    try:
        for job in jobs:
            if job.text is not None:
                write_text(job.script, job.text)
            arguments = job.sbatch_arguments(ids.get(job.after or "", ""))
            ids[job.role] = queue.sbatch(arguments, {"STAGEA_RUN_ROOT": str(folder.root)})
            submissions.add(job.role, ids[job.role], job.n_tasks, ["sbatch", *arguments], job.script)
            size = f" ({job.n_tasks} array tasks)" if job.n_tasks else ""
            wait = f", after job {ids[job.after]}" if job.after else ""
            lines.append(f"{job.role}: job {ids[job.role]}{size}{wait}")
    except SlurmError as error:
        if ids:
            queue.scancel(list(ids.values()))
        taken_back = (
            f"; taken back: {', '.join(f'{role} (job {job_id})' for role, job_id in ids.items())}" if ids else ""
        )
        raise SlurmError(
            f"{error}{taken_back}; check partition, time, mem_gb, nodes and sbatch_options in stage_a"
        ) from error
    return lines


def _refuse_second(folder: RunFolder, submissions: Submissions) -> None:
    """Raises where jobs of this run are in the queue: known by their scripts, whoever submitted these."""
    scripts = _jobs_folder(folder)
    alive: dict[str, str] = {}
    for job in sorted(queue.own_jobs(), key=lambda job: int(job["id"])):
        if Path(job["script"]).parent == scripts or submissions.knows(job["id"], job["script"]):
            alive.setdefault(job["id"], f"{job['id']} ({job['name']}, {job['state'].lower()})")
    if alive:
        raise RunFolderError(
            f"{folder.root}: jobs of this run are in the queue already: {', '.join(alive.values())}. Wait for them "
            f"(`python -m stagea_mpi status {folder.root}`), or end them first: scancel {' '.join(alive)}"
        )


def _refuse_other_chains(folder: RunFolder, config: RunConfig, force: bool) -> None:
    if force or not folder.config.exists():
        return
    known = folder.read_config().get("chains")
    wanted = chains_as_dict(config.chains)
    if known != wanted:
        raise RunFolderError(
            f"{folder.config}: the run was made with chains {known!r}, now they are {wanted!r}. Restore them, choose "
            "another run_root, or submit with --force to compute everything again"
        )


def _check_time(config: RunConfig) -> None:
    limit = int(time_limit_seconds(config.stage_a.time))
    ahead = config.stage_a.signal_ahead_s
    if limit <= ahead:
        raise ConfigError(
            f"stage_a.signal_ahead_s: {ahead} s is no less than stage_a.time = {config.stage_a.time} ({limit} s): a "
            "job would be interrupted as it starts; ask for more time"
        )


def _forget(folder: RunFolder, n_shards: int) -> None:
    """Takes away what vouches for published shards, once: a job with --force would begin anew at every requeue."""
    for index in range(n_shards):
        shard = folder.shard(index)
        shard.unmark()
        shard.meta.unlink(missing_ok=True)


def _is_done(folder: RunFolder, config: RunConfig, n_shards: int) -> bool:
    states = (ShardState(folder.shard(index)) for index in range(n_shards))
    if config.phase == "prep_graphs":
        return all(state.has_graphs_done for state in states)
    return all(state.published is Published.DONE for state in states)


def _advice_on_after(config: RunConfig) -> list[str]:
    return [f"to run what follows once more: {config.after} {config.run_root}"] if config.after else []


def _jobs_folder(folder: RunFolder) -> Path:
    return folder.root / "jobs"


def _config_path(folder: RunFolder) -> Path:
    """The configuration as submitted: later edits of the user's file do not reach jobs that wait in the queue."""
    return _jobs_folder(folder) / "run.yaml"


def _frozen(config: RunConfig) -> str:
    return yaml.safe_dump(config.as_dict(), sort_keys=False, allow_unicode=True)


def _heredoc(path: Path, text: str) -> str:
    return f"cat >{shlex.quote(str(path))} <<'END_OF_FILE'\n{text.rstrip()}\nEND_OF_FILE"
