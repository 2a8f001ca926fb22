"""How many ranks a team has: as many as its first rank can keep up with.

All ranks of a team build graphs; its first one also finishes them: clusters, graphs.h5, checksums. Beside p seconds a
model that any rank can do stand s seconds that are the first rank's alone, so t ranks take max(s, (p + s) / t) a model,
and more than (p + s) / s of them gain nothing: Amdahl's law, where the serial part is done beside the parallel one.
Two more losses grow with a team: at a shard's end all wait for the slowest, for about a model, since some are several
times as large as others; at the run's end the first rank finishes the last shard alone. `pipeline.simulation` follows
all of this in detail.
"""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: The first rank counts as if it took so much longer: disks and models vary, and it should never be waited for.
SAFETY = 1.25
#: Fewer, larger teams are taken where they cost no more than this share of the time: then fewer shards are in hand,
#: which a run that is stopped has to build again.
_AS_GOOD = 0.01


@dataclass(frozen=True)
class TeamCosts:
    """What a model costs.

    Attributes
    ----------
    first_s : float
        Seconds that are the first rank's alone, positive.
    any_s : float
        Seconds that any rank of a team can do.
    measured_on : int
        Finished shards that have told so; 0: a rule.
    models : float
        Of a shard, positive.
    """

    first_s: float
    any_s: float
    measured_on: int = 0
    models: float = 100.0

    def of_model(self, ranks: int) -> float:
        """Seconds from one finished model to the next of a team, with the first rank's margin of safety."""
        slowest = self.any_s * (1 - 1 / ranks) / self.models
        return max(SAFETY * self.first_s, (self.any_s + self.first_s) / ranks) + slowest

    def at_the_end(self, ranks: int) -> float:
        """Seconds that the first rank finishes alone after the last model, by models of a shard."""
        return self.first_s if ranks > 1 else 0.0


#: Where no shard has been finished: CPU times of complexes of 3,900 atoms (jobs/README.md). Their ratio counts, which
#: depends little on the machine.
USUAL_COSTS = TeamCosts(first_s=0.005, any_s=0.030)


def teams_of_nodes(ranks_of_nodes: Sequence[int], n_shards: int, costs: TeamCosts) -> list[int]:
    """Into how many teams the ranks of each node are divided.

    Of all numbers of teams the one is taken with which shards of one size are done first. There are no more teams than
    shards, but one on every node; a node with more ranks has more teams; a team has ranks of one node alone.

    Parameters
    ----------
    ranks_of_nodes : sequence of int
        Each at least 1.
    n_shards : int
        Still to be done.
    costs : TeamCosts

    Returns
    -------
    counts : list of int
        For each node, from 1 to its number of ranks.
    """
    counts = [1] * len(ranks_of_nodes)
    teams: Counter[int] = Counter(ranks_of_nodes)
    largest = [(-float(ranks), node) for node, ranks in enumerate(ranks_of_nodes)]
    heapq.heapify(largest)
    seconds, divided = [_seconds(teams, n_shards, costs)], []
    while sum(counts) < min(n_shards, sum(ranks_of_nodes)):
        _, node = largest[0]  # with the largest teams
        teams.subtract(sizes_of_teams(ranks_of_nodes[node], counts[node]))
        counts[node] += 1
        teams.update(sizes_of_teams(ranks_of_nodes[node], counts[node]))
        heapq.heapreplace(largest, (-ranks_of_nodes[node] / counts[node], node))
        divided.append(node)
        seconds.append(_seconds(+teams, n_shards, costs))
    enough = min(seconds) * (1 + _AS_GOOD)
    best = next(k for k, found in enumerate(seconds) if found <= enough)
    made = Counter(divided[:best])
    return [1 + made[node] for node in range(len(ranks_of_nodes))]


def sizes_of_teams(ranks: int, n_teams: int) -> list[int]:
    """Ranks of each team of a node, equal but for one; the larger teams first."""
    size, larger = divmod(ranks, n_teams)
    return [size + (team < larger) for team in range(n_teams)]


def _seconds(teams: Mapping[int, int], n_shards: int, costs: TeamCosts) -> float:
    """When the last of the shards is done, each by the team that is free first, in seconds for a model a shard.

    `teams` says how many there are of each size.
    """
    paces = [(costs.of_model(ranks), n) for ranks, n in teams.items()]
    end = max(costs.at_the_end(ranks) for ranks in teams)
    n_shards = max(n_shards, 1)
    low = n_shards / sum(n / pace for pace, n in paces)  # all teams busy to the end
    high = low + max(pace for pace, _ in paces)
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        done = sum(n * int(middle / pace) for pace, n in paces)
        low, high = (low, middle) if done >= n_shards else (middle, high)
    return high + end
