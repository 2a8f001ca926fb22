"""Where a run stands: a bar on a terminal, a line now and then in a log, progress.json for everyone else."""

import logging
import os
import socket
import sys
import time
from typing import Any

from tqdm import tqdm

from ..rundir.folders import ShardFolder, now, write_json
from ..rundir.lock import ShardLock
from ..scheduler import this_job

log = logging.getLogger(__name__)

#: Seconds between two writes of progress.json.
WRITE_EVERY_S = 3.0


class Progress:
    """Progress of the shards that one team works on; used by the team's first rank alone.

    Parameters
    ----------
    log_every_s : float
        Seconds between two lines in a log.
    show_bar : bool
        Whether this rank may draw on the terminal.
    """

    def __init__(self, log_every_s: float, show_bar: bool):
        self._log_every, self._bar_allowed = log_every_s, show_bar and sys.stderr.isatty()
        self._bar: tqdm | None = None
        self._shard: ShardFolder | None = None
        self._lock: ShardLock | None = None

    def begin(self, shard: ShardFolder, lock: ShardLock, n_models: int) -> None:
        self._shard, self._lock, self._n = shard, lock, n_models
        self._started_at, self._start, self._last_write, self._last_log = now(), time.monotonic(), 0.0, time.monotonic()
        if self._bar_allowed:
            self._bar = tqdm(total=n_models, desc=shard.name, unit="model", leave=False, dynamic_ncols=True)
        self.models(0, n_models, 0)

    def models(self, taken: int, n_models: int, failed: int) -> None:
        """Notes that so many models have been taken up."""
        if self._bar is not None:
            self._bar.update(taken - self._bar.n)
        time_now = time.monotonic()
        if time_now - self._last_write > WRITE_EVERY_S:
            self._last_write = time_now
            self.write("graphs", taken=taken, failed=failed)
        if self._bar is None and time_now - self._last_log > self._log_every:
            self._last_log = time_now
            rate = taken / (time_now - self._start)
            log.info(
                "%s: %d of %d models, %.1f a second, %.0f s left",
                self._shard.name,
                taken,
                n_models,
                rate,
                (n_models - taken) / rate,
            )

    def write(self, stage: str, **counts: Any) -> None:
        """Replaces progress.json and gives the lock a heartbeat."""
        write_progress(self._shard, self._lock, stage, n_models=self._n, started=self._started_at, **counts)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def write_progress(shard: ShardFolder, lock: ShardLock, stage: str, **counts: Any) -> None:
    """Says in progress.json what is being done with a shard, by whom, and gives its lock a heartbeat."""
    lock.touch()
    state = {
        "stage": stage,
        **counts,
        **job_of_this_process(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "updated": now(),
    }
    write_json(shard.progress, state, durable=False)


def job_of_this_process() -> dict[str, str]:
    """``job_id`` as the batch system's commands take it, and ``node``."""
    job = this_job()
    return {"job_id": job.label, "node": job.node}
