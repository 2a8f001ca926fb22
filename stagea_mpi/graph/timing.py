"""Seconds by stage of one model."""

from time import perf_counter

#: Stages of one model on a rank, in the order in which they happen.
STAGES = ("read", "contacts", "voronoi", "burial", "edges", "scores")


class StageClock:
    """Laps of one model: `lap(stage)` books the time since the last lap on a stage."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._last = perf_counter()

    def lap(self, stage: str) -> None:
        now = perf_counter()
        self.seconds[stage] += now - self._last
        self._last = now
