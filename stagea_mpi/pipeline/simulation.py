"""A run's schedule, simulated: when teams of ranks would be done with their shards, and what more ranks would gain.

A discrete-event model of `run`, `team`, `shard` and `build_shard`, in whose order ranks do things here and wait for
each other. Teams take shards as they become free, the largest first. The ranks of a team read a shard's files in turn,
then take its models one by one, in rounds; the first rank finishes the shard before when the others begin with the
models of this one. What each part costs comes from a run's events (`report.stage_costs`) or from a few models
(`sample`).
"""

import functools
import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean

#: Models are spread over the known durations by steps of the golden ratio: any number of models that follow each other
#: is then an even sample of them.
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class StageCosts:
    """What the parts of a run cost: seconds of one rank that has a core of its own, and what the file system does.

    Attributes
    ----------
    model_s : tuple of float
        Of a model's graph: quantiles of what is known of it, in ascending order.
    list_s : float
        Of a model, for any rank: reading it for its chains and sequences, and their numbering where they are new.
    write_s : float
        Of a model, for any rank: handing its graph over and writing it.
    finish_s : float
        Of a model, for the first rank of a team: clusters, packed.h5 with them, graphs.h5.
    open_s, publish_s : float
        Of a shard, for the first rank, while the others wait: what is there, and whose it is; making and publishing
        packed.h5.
    finish_shard_s : float
        Of a shard, for the first rank, while the others go on: flushes, names, markers.
    startup_s, number_s : float
        Of a rank, once: from the start of its process to its first shard; of a team, once: numbering of the sequences
        that all models share.
    read_bytes, packed_bytes, graphs_bytes : float
        Of a model.
    model_operations, shard_operations : float
        What a model and a shard ask of the file system's metadata: names looked up, opened, made, flushed. As
        docs/files.md counts them, but for those that a node answers from its memory.
    startup_operations : float
        The same of a node while its first rank starts; the others find in its memory what that has loaded.
    """

    model_s: tuple[float, ...]
    list_s: float = 0.0
    write_s: float = 0.0
    finish_s: float = 0.0
    open_s: float = 0.0
    publish_s: float = 0.0
    finish_shard_s: float = 0.0
    startup_s: float = 0.0
    number_s: float = 0.0
    read_bytes: float = 0.0
    packed_bytes: float = 0.0
    graphs_bytes: float = 0.0
    model_operations: float = 4.0
    shard_operations: float = 65.0
    startup_operations: float = 2800.0

    def seconds_of(self, model: int) -> float:
        """Of one model's graph, by its place in its shard."""
        return self.model_s[int((model * _GOLDEN) % 1.0 * len(self.model_s))]

    @property
    def any_s(self) -> float:
        """Of a model, what any rank of a team can do."""
        return fmean(self.model_s) + self.list_s + self.write_s

    @property
    def shard_s(self) -> float:
        """Of a shard, what is not its models'."""
        return self.open_s + self.publish_s + self.finish_shard_s


@dataclass(frozen=True)
class FileSystem:
    """One that all nodes share.

    Attributes
    ----------
    bytes_per_s : float
        What it moves for all of them together.
    operations_per_s : float
        What its metadata server answers.
    latency_s : float
        Of one such answer, where nobody else asks.
    """

    bytes_per_s: float = math.inf
    operations_per_s: float = math.inf
    latency_s: float = 0.0


#: Of no limit: what the ranks cost alone.
UNLIMITED = FileSystem()


@dataclass(frozen=True)
class Schedule:
    """What a simulated run took.

    Attributes
    ----------
    startup_s, build_s : float
        Until the first shard is taken, and from there to the last one that is published.
    alone_s : float
        `build_s` of one rank alone, for which the file system has no limit.
    ranks, n_models : int
    teams_s : tuple of float
        When each team was done, from the first shard on.
    """

    startup_s: float
    build_s: float
    alone_s: float
    ranks: int
    n_models: int
    teams_s: tuple[float, ...] = field(repr=False)

    @property
    def wall_s(self) -> float:
        return self.startup_s + self.build_s

    @property
    def speed_up(self) -> float:
        """Against one rank, start-up apart."""
        return self.alone_s / self.build_s

    @property
    def efficiency(self) -> float:
        """Share of the ranks' time, start-up apart, in which they do what one rank would have to do, too."""
        return self.speed_up / self.ranks


def simulate(
    costs: StageCosts,
    shards: Sequence[int],
    teams: Sequence[int],
    *,
    held: int = 100,
    file_system: FileSystem = UNLIMITED,
    n_nodes: int = 1,
) -> Schedule:
    """Runs some shards on some teams.

    Parameters
    ----------
    costs : StageCosts
    shards : sequence of int
        Models of each, at least one shard.
    teams : sequence of int
        Ranks of each, at least one team.
    held : int
        Graphs that a rank holds before they are written (`graph_result_queue_maxsize`).
    file_system : FileSystem
    n_nodes : int
        Nodes that start up.
    """
    disk, metadata = _Server(file_system.bytes_per_s), _Server(file_system.operations_per_s)
    waiting, ends = sorted(shards), [0.0] * len(teams)  # the largest shard is taken first
    # Shards that find the file system in another state each shall still be alike enough to be worked out once.
    digits = 12 if file_system == UNLIMITED else 3

    def at_work(team: int) -> Iterator[float]:
        """What a team does, up to each moment at which it asks the file system for something: that moment."""
        ranks, now, left_s = teams[team], costs.number_s, 0.0  # the latter: what its first rank has still to finish
        while waiting:
            n_models = waiting.pop()
            a_rank = -(-n_models // ranks)
            yield now
            in_a_row = a_rank * costs.model_operations + costs.shard_operations / 2
            now = max(
                now + costs.open_s + a_rank * costs.list_s + in_a_row * file_system.latency_s,
                disk.done(now, n_models * costs.read_bytes),
                metadata.done(now, n_models * costs.model_operations + costs.shard_operations / 2),
            )
            now += _rounds(costs, n_models, ranks, held, round(left_s, digits))
            yield now
            written = now + costs.write_s * n_models / ranks
            now = max(written, disk.done(now, n_models * costs.packed_bytes)) + costs.publish_s
            yield now
            left_s = max(
                costs.finish_shard_s + costs.finish_s * n_models + costs.shard_operations / 2 * file_system.latency_s,
                disk.done(now, n_models * costs.graphs_bytes) - now,
                metadata.done(now, costs.shard_operations / 2) - now,
            )
            ends[team] = now + left_s

    steps = [at_work(team) for team in range(len(teams))]
    moments = [(next(step, math.inf), team) for team, step in enumerate(steps)]
    heapq.heapify(moments)
    while moments[0][0] < math.inf:
        team = moments[0][1]
        heapq.heapreplace(moments, (next(steps[team], math.inf), team))
    startup = costs.startup_s + _Server(file_system.operations_per_s).done(0.0, n_nodes * costs.startup_operations)
    n_models = sum(shards)
    alone = costs.number_s + sum(_graphs_s(costs, n) for n in shards) + len(shards) * costs.shard_s
    alone += n_models * (costs.list_s + costs.write_s + costs.finish_s)
    return Schedule(startup, max(ends), alone, sum(teams), n_models, tuple(ends))


class _Server:
    """Serves at a rate, one after the other, in the order in which it is asked."""

    def __init__(self, rate: float):
        self._rate, self._busy_until = rate, 0.0

    def done(self, start: float, amount: float) -> float:
        """When it has served so much more."""
        if not math.isfinite(self._rate) or not amount:
            return start
        self._busy_until = max(self._busy_until, start) + amount / self._rate
        return self._busy_until


@functools.lru_cache(maxsize=65536)
def _rounds(costs: StageCosts, n_models: int, ranks: int, held: int, first_rank_s: float) -> float:
    """Seconds in which a team builds a shard's graphs, when its first rank begins so much later than the others."""
    free, now = [first_rank_s] + [0.0] * (ranks - 1), 0.0
    for first in range(0, n_models, held * ranks):
        heapq.heapify(free)
        for model in range(first, min(first + held * ranks, n_models)):
            heapq.heapreplace(free, free[0] + costs.seconds_of(model))
        now = max(free)  # all wait for the slowest
        free = [now] * ranks
    return max(now, first_rank_s)


@functools.lru_cache(maxsize=4096)
def _graphs_s(costs: StageCosts, n_models: int) -> float:
    return sum(map(costs.seconds_of, range(n_models)))
