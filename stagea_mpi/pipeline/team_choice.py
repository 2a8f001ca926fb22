"""`team: auto`: how a run's ranks are divided, by what its finished shards have cost and what is still to be done."""

import contextlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import RunFolderError
from ..mpi.communicator import Communicator
from ..mpi.team_sizes import USUAL_COSTS, TeamCosts, sizes_of_teams, teams_of_nodes
from ..mpi.teams import node_names
from ..rundir.folders import DONE, GRAPHS_DONE, RunFolder, ShardFolder
from ..rundir.shard_meta import ShardMeta
from ..storage.packed_reader import reading

log = logging.getLogger(__name__)

#: Finished shards that are asked for their costs, at most, and how many of them each rank names.
_ASKED, _NAMED = 16, 4


def chosen_teams(
    comm: Communicator, folder: RunFolder, selected: Sequence[int], *, phase: str, force: bool, models_a_shard: float
) -> Sequence[int]:
    """The number of each rank's team, equal on all ranks; collective.

    Parameters
    ----------
    comm : communicator
        All ranks.
    folder : RunFolder
    selected : sequence of int
        Shards of this run.
    phase : str
        ``full`` or ``prep_graphs``: with ``cluster_only`` each rank is a team.
    force : bool
        Whether shards that are done are done again.
    models_a_shard : float
        About.
    """
    nodes = node_names(comm)
    # Each rank looks at every so many of the shards: a look at ten thousand takes a network file system a while.
    surveys = comm.gather(survey(folder, selected[comm.rank :: comm.size], phase))
    teams: list[int] = []
    if surveys is not None:
        by_node = [[rank for rank, node in enumerate(nodes) if node == name] for name in dict.fromkeys(nodes)]
        choice = choose(folder, [len(ranks) for ranks in by_node], surveys, force=force, models_a_shard=models_a_shard)
        teams = _numbers(by_node, choice.counts)
        log.info("team: auto: %s", choice)
    return comm.bcast(teams)


@dataclass(frozen=True)
class Survey:
    """What some shards of a run are like.

    Attributes
    ----------
    n_shards, n_open, n_built : int
        All of them, those that are not done, and of those the ones that have their graphs.
    done : list of int
        A few of those that are done.
    """

    n_shards: int
    n_open: int
    n_built: int
    done: list[int]


@dataclass(frozen=True)
class TeamChoice:
    """How ranks are divided, and why; as text a line for a person.

    Attributes
    ----------
    ranks_of_nodes, counts : sequence of int
        Of each node its ranks, and its teams.
    n_shards : int
        To be done.
    costs : TeamCosts
    """

    ranks_of_nodes: Sequence[int]
    counts: Sequence[int]
    n_shards: int
    costs: TeamCosts

    def __str__(self) -> str:
        nodes = zip(self.ranks_of_nodes, self.counts, strict=True)
        sizes = [size for ranks, count in nodes for size in sizes_of_teams(ranks, count)]
        n_nodes, costs = len(self.ranks_of_nodes), self.costs
        where = f"on each of {n_nodes} nodes" if n_nodes > 1 else "on 1 node"
        source = (
            f"measured on {costs.measured_on} shard{'s' * (costs.measured_on > 1)}"
            if costs.measured_on
            else "a rule, nothing is measured yet"
        )
        return (
            f"teams of {_range(sizes)} of {_range(self.ranks_of_nodes)} ranks {where}: a model costs rank 0 "
            f"{_ms(costs.first_s)} and the others {_ms(costs.any_s)} ({source}); shards to do: {self.n_shards}"
        )


def choose(
    folder: RunFolder,
    ranks_of_nodes: Sequence[int],
    surveys: Sequence[Survey],
    *,
    force: bool = False,
    models_a_shard: float = USUAL_COSTS.models,
) -> TeamChoice:
    """The division of ranks, from surveys of all shards that are to be done."""
    done = sorted(index for each in surveys for index in each.done)
    costs = measured_costs(folder.shard(done[k]) for k in _spread(len(done), _ASKED)) or USUAL_COSTS
    costs = replace(costs, models=models_a_shard)
    n_open, n_built = sum(each.n_open for each in surveys), sum(each.n_built for each in surveys)
    if force:
        n_open, n_built = sum(each.n_shards for each in surveys), 0
    if n_built:  # of these only the first rank's part is left
        costs = replace(costs, any_s=costs.any_s * (1 - n_built / n_open))
    return TeamChoice(ranks_of_nodes, teams_of_nodes(ranks_of_nodes, n_open, costs), n_open, costs)


def survey(folder: RunFolder, shards: Sequence[int], phase: str) -> Survey:
    """Looks at the markers of some shards: a shard is done when its phase has nothing more to do."""
    n_built, done = 0, []
    for index in shards:
        shard = folder.shard(index)
        with contextlib.suppress(OSError):  # its team will say what is wrong
            if shard.has(GRAPHS_DONE if phase == "prep_graphs" else DONE):
                done.append(index)
            else:
                n_built += shard.has(GRAPHS_DONE)
    return Survey(len(shards), len(shards) - len(done), n_built, [done[k] for k in _spread(len(done), _NAMED)])


def _spread(n: int, most: int) -> list[int]:
    """Places of so many of n things, evenly spread."""
    return sorted({n * k // most for k in range(most)}) if n else []


def measured_costs(shards: Iterable[ShardFolder]) -> TeamCosts | None:
    """What a model has cost in some finished shards, the median over them; None where none of them tells.

    The first rank's alone is what a shard's metadata have beside looking, numbering and building. What any rank can do
    are the seconds of the models in packed.h5: listing and numbering, which all ranks do as well, are left out, which
    errs to smaller teams.
    """
    found = [cost for cost in map(_cost_of, shards) if cost is not None]
    if not found:
        return None
    first, any_ = zip(*found, strict=True)
    return TeamCosts(float(np.median(first)), float(np.median(any_)), len(found))


def _cost_of(shard: ShardFolder) -> tuple[float, float] | None:
    """Seconds a model of one shard: the first rank's alone, and those that any rank can do."""
    meta = ShardMeta.read(shard)
    if meta is None or not meta.result.n_ok:
        return None
    result = meta.result
    if result.prep_s is None or result.annotate_s is None or result.graphs_s is None:
        return None
    first = meta.wall_s - result.prep_s - result.annotate_s - result.graphs_s
    try:
        with reading(shard.packed) as packed:
            any_ = float(np.sum(packed.column("model/seconds")))
    except RunFolderError:  # its team will say what is wrong
        return None
    if not (first > 0.0 and any_ > 0.0):
        return None
    return first / result.n_models, any_ / result.n_models


def _numbers(by_node: list[list[int]], counts: Sequence[int]) -> list[int]:
    """By rank the number of its team; ranks of a node that follow each other are together."""
    numbers: dict[int, int] = {}
    n_teams = 0
    for ranks, count in zip(by_node, counts, strict=True):
        sizes = sizes_of_teams(len(ranks), count)
        numbers |= zip(ranks, np.repeat(np.arange(n_teams, n_teams + count), sizes).tolist(), strict=True)
        n_teams += count
    return [numbers[rank] for rank in range(len(numbers))]


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2g} ms" if seconds < 0.01 else f"{1000 * seconds:.0f} ms"
