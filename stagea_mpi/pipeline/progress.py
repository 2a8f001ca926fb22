"""Where a run stands: a bar on a terminal, a line now and then in a log, progress.json for everyone else."""

import logging
import os
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from ..rundir.folders import ShardFolder, now, write_json
from ..rundir.lock import ShardLock
from ..scheduler import this_job

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger(__name__)

#: Seconds between two writes of progress.json.
WRITE_EVERY_S = 3.0


class Progress:
    """Progress of a shard; used by the first rank of its team alone.

    Parameters
    ----------
    shard : ShardFolder
    lock : ShardLock
        Gets a heartbeat whenever progress.json is written.
    log_every_s : float
        Seconds between two lines in a log.
    show_bar : bool
        Whether this rank may draw on the terminal.
    """

    def __init__(self, shard: ShardFolder, lock: ShardLock, log_every_s: float, show_bar: bool):
        self._shard, self._lock = shard, lock
        self._log_every, self._bar_allowed = log_every_s, show_bar and sys.stderr is not None and sys.stderr.isatty()
        self._bar: tqdm | None = None

    def begin(self, n_models: int) -> None:
        """Graphs of so many models are being built from now on."""
        self._n = n_models
        self._started_at, self._start, self._last_write, self._last_log = now(), time.monotonic(), 0.0, time.monotonic()
        if self._bar_allowed:
            from tqdm import tqdm  # which nobody needs who has no terminal

            self._bar = tqdm(total=n_models, desc=self._shard.name, unit="model", leave=False, dynamic_ncols=True)
        self.models(0, 0)

    def models(self, taken: int, failed: int) -> None:
        """So many models have been taken up by all ranks, so many of this rank's have failed."""
        if self._bar is not None:
            self._bar.update(taken - self._bar.n)
        time_now = time.monotonic()
        if time_now - self._last_write > WRITE_EVERY_S:
            self._last_write = time_now
            self._write("graphs", n_models=self._n, started=self._started_at, taken=taken, failed=failed)
        if self._bar is None and time_now - self._last_log > self._log_every:
            self._last_log = time_now
            rate = taken / (time_now - self._start)
            log.info(
                "%s: %d of %d models, %.1f a second, %.0f s left",
                self._shard.name,
                taken,
                self._n,
                rate,
                (self._n - taken) / rate,
            )

    def end(self) -> None:
        """The graphs are built."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def stopped(self) -> None:
        """The graphs are dropped, and left to another run."""
        self._write("stopped", n_models=self._n, started=self._started_at, taken=0)

    def finishing(self, n_models: int, failed: int) -> None:
        """The graphs are being clustered and published."""
        self._write("finishing", n_models=n_models, failed=failed)

    def _write(self, stage: str, **counts: Any) -> None:
        """Says in progress.json what is being done with the shard, by whom, and gives its lock a heartbeat."""
        self._lock.touch()
        who = {**job_of_this_process(), "host": socket.gethostname(), "pid": os.getpid()}
        write_json(self._shard.progress, {"stage": stage, **counts, **who, "updated": now()}, durable=False)


def job_of_this_process() -> dict[str, str]:
    """``job_id`` as the batch system's commands take it, and ``node``."""
    job = this_job()
    return {"job_id": job.label, "node": job.node}
