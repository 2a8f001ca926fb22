"""What a run would take on so many ranks, and beyond how many more of them gain nothing, by simulated schedules."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..mpi.team_sizes import TeamCosts, sizes_of_teams, teams_of_nodes
from .simulation import UNLIMITED, FileSystem, Schedule, StageCosts, simulate

#: What is assumed of a cluster's file system: a Lustre of some size, with two metadata servers, that nobody else uses.
#: `simulate` takes another.
USUAL_FILE_SYSTEM = FileSystem(bytes_per_s=40e9, operations_per_s=200e3, latency_s=3e-4)
#: Ranks are said to gain nothing when twice as many would be done in more than this share of the time.
_GAIN = 0.9
#: Ranks that are looked at, at most.
_MOST_RANKS = 16384


@dataclass(frozen=True)
class UsefulRanks:
    """How many ranks a run can use.

    Attributes
    ----------
    ranks : int
    because : str
        Why more of them would gain nothing; empty where as many as were looked at do.
    """

    ranks: int
    because: str


def team_costs(costs: StageCosts, models_a_shard: float, measured_on: int = 1) -> TeamCosts:
    """The same costs as what decides on the size of teams."""
    first_s = costs.finish_s + costs.finish_shard_s / models_a_shard
    return TeamCosts(max(first_s, 1e-6), costs.any_s, measured_on, models_a_shard)


def team_sizes(ranks_of_nodes: Sequence[int], team: str | int, n_shards: int, costs: TeamCosts) -> list[int]:
    """Ranks of each team, as `team` in run.yaml has them: ``auto``, ``node``, ``world`` or a number."""
    n_ranks = sum(ranks_of_nodes)
    if team == "auto":
        counts = teams_of_nodes(ranks_of_nodes, n_shards, costs)
        nodes = zip(ranks_of_nodes, counts, strict=True)
        return [size for ranks, count in nodes for size in sizes_of_teams(ranks, count)]
    if team == "node":
        return list(ranks_of_nodes)
    width = n_ranks if team == "world" else min(int(team), n_ranks)
    return [min(width, n_ranks - first) for first in range(0, n_ranks, width)]


def useful_ranks(
    costs: StageCosts,
    shards: Sequence[int],
    ranks_a_node: int,
    *,
    team: str | int = "auto",
    held: int = 100,
    file_system: FileSystem | None = None,
) -> UsefulRanks:
    """How many ranks are worth starting for some shards, start-up included.

    Parameters
    ----------
    costs : StageCosts
    shards : sequence of int
        Models of each.
    ranks_a_node : int
        Of a node that is full; fewer ranks are on one node.
    team, held
        As for a run: `team_sizes`, `simulate`.
    file_system : FileSystem, optional
        By default that of `file_system_of`.
    """

    def run(ranks: int, cut: Sequence[int] = shards, disk: FileSystem | None = file_system) -> Schedule:
        nodes = nodes_of(ranks, ranks_a_node)
        disk = disk or file_system_of(len(nodes))
        sizes = team_sizes(nodes, team, len(cut), team_costs(costs, sum(cut) / len(cut)))
        return simulate(costs, cut, sizes, held=held, file_system=disk, n_nodes=len(nodes))

    ranks = 1
    while ranks < _MOST_RANKS:
        now, more = run(ranks), run(2 * ranks)
        if more.wall_s > _GAIN * now.wall_s:
            break
        ranks *= 2
    else:
        return UsefulRanks(ranks, "")
    if 2 * ranks > sum(shards):
        return UsefulRanks(min(ranks, sum(shards)), "there are no more models")
    enough = _GAIN * now.wall_s
    halves = [part for n in shards for part in (n - n // 2, n // 2) if part]
    if run(2 * ranks, disk=UNLIMITED).wall_s <= enough:
        return UsefulRanks(ranks, f"the file system is busy ({_told(file_system or USUAL_FILE_SYSTEM)})")
    if run(2 * ranks, cut=halves).wall_s <= enough:
        return UsefulRanks(ranks, f"{len(shards)} shards are too few for more; make max_per_shard smaller")
    if now.startup_s > now.build_s:
        return UsefulRanks(ranks, "starting them takes longer than the models")
    return UsefulRanks(ranks, f"a team's first rank and the end of the run ({len(shards)} shards) hold the others up")


def file_system_of(n_nodes: int) -> FileSystem:
    """What is assumed of the file system: of one node's it has no limit, since costs are measured with it."""
    return USUAL_FILE_SYSTEM if n_nodes > 1 else UNLIMITED


def nodes_of(ranks: int, ranks_a_node: int) -> list[int]:
    """Ranks of each node, as even as can be on as few nodes as will do."""
    return sizes_of_teams(ranks, -(-ranks // ranks_a_node))


def _told(file_system: FileSystem) -> str:
    rate, operations = file_system.bytes_per_s / 1e9, file_system.operations_per_s
    return f"{rate:g} GB/s and {operations:,.0f} metadata operations a second are assumed"
