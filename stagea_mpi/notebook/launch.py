"""A run started from a notebook: as a child process under mpiexec, or as a job. MPI stays out of the notebook's
kernel."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import yaml

from ..config.paths import given
from ..config.run_config import RunConfig, load_config
from ..errors import LaunchError
from ..mpi.launcher import RUN, find_launcher, launch_environment, listening_ranks
from ..rundir.folders import RunFolder
from ..rundir.shard_state import ShardState
from ..rundir.sharding import plan_shards

#: Seconds after which a run from a notebook is stopped, if nobody says otherwise.
LIMIT_S = 24 * 3600.0
#: Seconds that `plan` and `submit` may take.
_COMMAND_LIMIT_S = 600.0
#: Seconds that ranks may take to start, until they can be told to stop, …
_START_LIMIT_S = 300.0
#: … and to end, when they have been told because the run is past its limit.
_END_LIMIT_S = 300.0

#: Variables by which a process takes itself for a rank, or for the batch job that the notebook runs in.
_RANK_VARIABLES = ("OMPI_", "PMIX_", "PMI_", "SLURM_STEP", "SLURM_PROCID", "SLURM_LOCALID")


def write_config(path: str | Path, settings: dict[str, Any]) -> RunConfig:
    """Writes settings as run.yaml, checks them, and returns them as resolved.

    Parameters
    ----------
    path : path
    settings : dict
        In run.yaml's shape.

    Raises
    ------
    ConfigError
        Names the key, what was found and what was expected.
    """
    path = Path(given(path, "the configuration's path"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return load_config(path)


def input_table(config: RunConfig) -> pd.DataFrame:
    """The shards that a run would have: `files`, and `size_mb` (10⁶ bytes)."""
    plan = plan_shards(config)
    sizes = [size / 1e6 for size in plan.sizes]
    return pd.DataFrame({"files": plan.shards.n_files, "size_mb": sizes}).rename_axis("shard")


def plan(config_path: str | Path) -> str:
    """What `python -m stagea_mpi plan` says of a configuration."""
    return _command("plan", str(config_path))


def submit(config_path: str | Path, dry_run: bool = False) -> str:
    """Submits a run to Slurm, as `python -m stagea_mpi submit` does; returns what that says."""
    return _command("submit", str(config_path), *(["--dry-run"] if dry_run else []))


def try_submit(config_path: str | Path, dry_run: bool = False) -> str:
    """As `submit`; where there is no Slurm, or it refuses, the reason instead of an error."""
    try:
        return submit(config_path, dry_run)
    except LaunchError as error:
        return str(error)


def is_done(run_root: str | Path) -> bool:
    """Whether all shards of a run are done."""
    now = progress_of(RunFolder(given(run_root, "run_root")))
    return bool(now["shards"] and now["shards_done"] == now["shards"])


def _command(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "stagea_mpi", *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_COMMAND_LIMIT_S,
        stdin=subprocess.DEVNULL,
        env=launch_environment(_RANK_VARIABLES),
    )
    if done.returncode:
        raise LaunchError(
            f"`python -m stagea_mpi {' '.join(arguments)}` ended with {done.returncode}: {done.stderr.strip()}"
        )
    return done.stdout


class LocalRun:
    """A run on this machine, under way or ended.

    Parameters
    ----------
    config_path : path
        run.yaml.
    ranks : int
        1 runs without MPI.
    limit_s : float
        Seconds after which `wait` and `follow` stop the run.
    *options
        Further options of `python -m stagea_mpi run`.
    """

    def __init__(
        self, config_path: str | Path, ranks: int = 1, limit_s: float = LIMIT_S, options: tuple[str, ...] = ()
    ):
        config = load_config(config_path)
        self.folder, self._limit, self._start = RunFolder(config.run_root), limit_s, time.monotonic()
        self.folder.logs.mkdir(parents=True, exist_ok=True)
        self.log = self.folder.logs / f"run_{time.strftime('%Y%m%d_%H%M%S')}_{os.getpid()}.log"
        launcher = find_launcher().command(ranks) if ranks > 1 else []
        self._ranks, self._told = ranks, set[int]()
        self._past_limit_since: float | None = None
        command = [*launcher, sys.executable, *RUN, str(config_path), *options]
        with open(self.log, "wb") as output:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=launch_environment(_RANK_VARIABLES),
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        return self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 0 done, 4 too many models failed, 75 stopped early."""
        return self._child.poll()

    def progress(self) -> pd.Series:
        """Where the run stands: shards done and in all, models taken up and in all."""
        return progress_of(self.folder)

    def output(self, lines: int = 20) -> str:
        """The last lines that the run has printed."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def follow(self, every_s: float = 1.0) -> None:
        """Shows in a notebook where the run stands until it ends."""
        from IPython.display import display

        shown = display(self, display_id=True)
        while self.is_running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(every_s)
            self._stop_past_limit()
            if shown is not None:
                shown.update(self)

    def wait(self) -> int:
        """Waits for the end and returns the exit code."""
        while self.is_running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(1.0)
            self._stop_past_limit()
        return self._child.returncode

    def stop(self) -> None:
        """Asks the run to finish the models in hand and to end; the same cell started again finishes it.

        Returns when every rank has been told. One that is still starting would die of the signal, so it is waited for.
        """
        end = time.monotonic() + _START_LIMIT_S
        while self.is_running and len(self._told) < self._ranks:
            for rank in self._listening_ranks():
                with contextlib.suppress(psutil.NoSuchProcess):
                    rank.terminate()
                self._told.add(rank.pid)
            if time.monotonic() > end:
                self._child.terminate()
                return
            time.sleep(0.02)

    def _listening_ranks(self) -> list[psutil.Process]:
        """Ranks that have not been told yet, and that the signal would not kill.

        The launcher is not told: it hands a signal on, but then it ends with an exit code of its own.
        """
        started = self.log.stat().st_size > 0  # a run's first words come when all ranks are past their start
        return [rank for rank in listening_ranks(self._child.pid, started=started) if rank.pid not in self._told]

    def kill(self) -> None:
        """Ends the run at once, launcher and ranks."""
        if self.is_running:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def _stop_past_limit(self) -> None:
        if time.monotonic() - self._start < self._limit:
            return
        self.stop()
        if self._past_limit_since is None:
            self._past_limit_since = time.monotonic()
        elif time.monotonic() - self._past_limit_since > _END_LIMIT_S:
            self.kill()

    def __repr__(self) -> str:
        state = "running" if self.is_running else f"ended with exit code {self.exit_code}"
        now = self.progress()
        return (
            f"{state}: {now['shards_done']} of {now['shards']} shards, {now['models_taken']} of {now['models']} models"
            f", {time.monotonic() - self._start:.0f} s\n{self.output(3)}"
        )


def progress_of(folder: RunFolder) -> pd.Series:
    """Where a run stands, from its folder."""
    shards = [folder.shard(i) for i in range(sum(1 for _ in folder.shard_lists.glob("shard_*.lst")))]
    done, taken, models = 0, 0, 0
    for shard in shards:
        state = ShardState(shard)
        progress = state.progress or {}
        listed = progress.get("n_models") or len(shard.inputs())
        done += state.is_marked
        models += listed
        taken += listed if state.is_marked else progress.get("taken", 0)
    counts = {"shards_done": done, "shards": len(shards), "models_taken": taken, "models": models}
    return pd.Series(counts, dtype=int)
