"""The phases of a run: teams take shards, build their graphs, and their first ranks cluster and publish."""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from ..config.run_config import RunConfig
from ..errors import FAILED, STOPPED_EARLY, RunFolderError, StageAError
from ..mpi.communicator import Communicator
from ..mpi.files import writes_together
from ..mpi.guard import StopRequest, raise_on_any_rank
from ..mpi.shared_counter import SharedCounter
from ..mpi.teams import SerialComm, first_ranks_of_nodes, split_into_teams
from ..mpi.worker import WorkerProcess
from ..rundir.folders import RunFolder
from ..rundir.numbering_cache import NumberingCache
from ..rundir.sharding import ensure_shard_plan, read_params
from ..telemetry.recording import recording
from .context import Options, RunContext
from .finish_shard import Outcome
from .references import references_of
from .shard import no_graphs
from .team import Team
from .team_choice import chosen_teams
from .versions import numbering_versions, take_versions, versions

log = logging.getLogger(__name__)

#: Measured on 2 cores, both ways by turns: in a shard of 100 models gathered writing took 0.7 of the time on 2 ranks
#: and 0.2 on 4, with 1,000 models in two rounds 0.8 and 0.4.
_GATHERED = (
    "h5py is built without MPI: the first rank of each team gathers each column and writes it. Collective writes need "
    "a parallel HDF5 (`python -m stagea_mpi doctor` says how to get it); within a node they gain nothing (measured: "
    "they take 1.2 to 5 times as long), from several nodes to a parallel file system they may (not measured)"
)
#: Seconds after which all nodes see what rank 0 has written, where they share the file system.
_SHOWS_WITHIN_S = 20.0


@dataclass
class RunSummary:
    """What became of a run, on its first rank."""

    outcomes: list[Outcome] = field(default_factory=list)
    n_shards: int = 0
    stopped: bool = False

    @property
    def exit_code(self) -> int:
        if self.stopped:
            return STOPPED_EARLY
        # A shard that no team has taken up is a fault of the sharing out, and must not pass for done.
        forgotten = len({outcome.shard for outcome in self.outcomes}) < self.n_shards
        return max([outcome.exit_code for outcome in self.outcomes] + [FAILED * forgotten], default=0)


def run(
    comm: Communicator,
    config: RunConfig,
    options: Options,
    stop: StopRequest,
    worker: WorkerProcess | None = None,
) -> RunSummary:
    """Runs a phase; collective. The summary is whole on rank 0.

    Parameters
    ----------
    comm : communicator
    config : RunConfig
    options : Options
    stop : StopRequest
    worker : WorkerProcess, optional
        One that this rank has started already; it is stopped.
    """
    folder, stated = RunFolder(config.run_root), config.stage_a.team
    if config.phase == "cluster_only":  # which is the work of first ranks
        stated = 1
    divided = split_into_teams(comm, stated) if stated != "auto" else None
    references = references_of(comm, config, worker)
    error, prepared = None, None
    if comm.rank == 0:
        try:
            prepared = *_prepare_run(folder, config, options), versions(), _numberings(folder, config.phase)
        except StageAError as problem:
            error = problem
    raise_on_any_rank(comm, error)
    params, sizes, found_versions, numberings = comm.bcast(prepared)
    take_versions(found_versions)
    looks = comm.rank in first_ranks_of_nodes(comm)  # each node may have mounted something else, or nothing, there
    raise_on_any_rank(comm, _lacks_folder(comm.rank, folder, params) if looks else None)
    selected = _selected(options, params["n_shards"])
    if config.phase == "cluster_only":
        raise_on_any_rank(comm, _lacks_graphs(folder, selected[comm.rank :: comm.size]))
    if divided is None:
        a_shard = params["n_files"] / params["n_shards"]
        teams = chosen_teams(comm, folder, selected, phase=config.phase, force=options.force, models_a_shard=a_shard)
        divided = split_into_teams(comm, teams)
    team, index, n_teams = divided
    gathers = team.size > 1 and not writes_together(team)
    if any(comm.allgather(gathers)) and comm.rank == 0:
        log.info(_GATHERED)
    if sizes and n_teams > 1:  # the last ones to be taken are the small ones, and no team waits for long
        selected.sort(key=lambda shard: (-sizes[shard], shard))
    who = {"team": index, "team_rank": team.rank, "teams": n_teams}
    interval = config.metrics_interval if config.collect_metrics else None
    with recording(comm, folder.root, config.phase, interval, **who) as events:
        context = RunContext(folder, config, options, params, stop, events, numberings, worker, references)
        outcomes = Team(team, index, context).work(_shared_out(comm, team, selected, stop))
        events.shard = None
        with events.timed("wait", on="end"):
            comm.barrier()
        if stop.signal is not None:
            events.note("stop", perf_counter(), 0.0, stop.signal.name)
    gathered = comm.gather((outcomes if team.rank == 0 else [], bool(stop)))
    if gathered is None:
        return RunSummary()
    found = sorted((o for part, _ in gathered for o in part), key=lambda outcome: outcome.shard)
    unfinished = len({o.shard for o in found if o.action != "stopped"}) < len(selected)
    return RunSummary(found, len(selected), any(stopped for _, stopped in gathered) and unfinished)


def _prepare_run(folder: RunFolder, config: RunConfig, options: Options) -> tuple[dict[str, Any], list[int]]:
    """`shards.params`, and the shards' sizes where the input has been listed."""
    folder.create()
    folder.remove_drafts()
    plan = ensure_shard_plan(folder, config, options.force, trust_list=options.share is not None)
    if plan.left_out:
        log.info("of pdb_root are left out %s", plan.said_of_left_out)
    folder.write_config({**config.as_dict(), "versions": versions()})
    return plan.params, plan.sizes


def _numberings(folder: RunFolder, phase: str) -> NumberingCache:
    """What earlier runs have numbered, read once for all ranks: there is a file for each team that there has been."""
    cache = NumberingCache(folder.numberings, numbering_versions())
    if phase != "cluster_only":  # which numbers nothing
        cache.load()
    return cache


def _lacks_folder(rank: int, folder: RunFolder, params: dict[str, Any]) -> StageAError | None:
    """The error of a rank that does not see the run folder that the first rank has made, or may not write there."""
    here = f"run_root: {folder.root}: rank {rank} on {os.uname().nodename}"
    found, end = None, perf_counter() + _SHOWS_WITHIN_S
    while found != params and perf_counter() < end:  # network file systems may show it late
        with contextlib.suppress(RunFolderError):
            found = read_params(folder)
        if found != params:
            time.sleep(0.5)
    if found != params:
        return RunFolderError(
            f"{here} does not see there what rank 0 has written; choose a folder on a file system that all nodes share"
        )
    if not os.access(folder.shards, os.W_OK | os.X_OK):
        return RunFolderError(f"{here} may not write there; mount it for writing on all nodes, or choose another")
    return None


def _lacks_graphs(folder: RunFolder, selected: list[int]) -> StageAError | None:
    """The error of the first shard that has nothing to be clustered, found before teams go different ways."""
    shards = (folder.shard(index) for index in selected)
    return next((no_graphs(shard) for shard in shards if not os.path.lexists(shard.packed)), None)


def _selected(options: Options, n_shards: int) -> list[int]:
    if options.share is not None:
        place, shares = options.share
        return list(range(place, n_shards, shares))
    if options.shards is None:
        return list(range(n_shards))
    beyond = [shard for shard in options.shards if shard >= n_shards]
    if beyond:
        raise RunFolderError(f"--shards: there is no shard {beyond[0]}; the run has the shards 0 to {n_shards - 1}")
    return list(options.shards)


def _shared_out(comm: Communicator, team: Communicator, selected: list[int], stop: StopRequest) -> Iterator[int]:
    """Shards for this team, in order, until there are none or a rank of the team is to stop.

    Collective. Every rank of the team gets the same shards, and all leave by the end of this function, together with
    the other teams: a team that left earlier would have the others wait for it.
    """
    first_ranks = comm.Split(int(team.rank == 0), comm.rank)
    with SharedCounter(first_ranks if team.rank == 0 else SerialComm(), len(selected)) as counter:
        while not any(team.allgather(bool(stop))):
            place = team.bcast(counter.take() if team.rank == 0 else None)
            if place is None:
                return
            yield selected[place]
