"""What the shards of a run have in common: settings and input of the run, instruments of the team."""

from dataclasses import dataclass
from typing import Any

from ..config.run_config import RunConfig
from ..inputs import RunNames
from ..mpi.communicator import Communicator
from ..mpi.guard import StopRequest
from ..mpi.worker import WorkerProcess
from ..rundir.folders import RunFolder
from ..rundir.numbering_cache import NumberingCache
from ..rundir.shard_judge import ShardJudge
from ..scheduler import this_job
from ..telemetry.events import EventLog
from .beside import model_worker
from .references import References, reference_facts
from .shared_numbering import Numbering


@dataclass(frozen=True)
class Options:
    """What the command line adds to the configuration.

    Attributes
    ----------
    cluster : bool
    force : bool
        Compute again what is published from another input or under other settings.
    shards : tuple of int or None
        Which shards to run; None for all.
    share : (int, int) or None
        Which share of the shards, and of how many; the run has been split for this, and its input is not listed again.
    """

    cluster: bool = True
    force: bool = False
    shards: tuple[int, ...] | None = None
    share: tuple[int, int] | None = None


@dataclass(frozen=True)
class RunContext:
    """A run, as every rank of it knows it.

    Attributes
    ----------
    folder : RunFolder
    config : RunConfig
    options : Options
    params : dict
        How the input was split into shards: `sharding.read_params`.
    stop : StopRequest
    events : EventLog
        This rank's.
    numberings : NumberingCache
        What was numbered before this run; equal on all ranks.
    worker : WorkerProcess, optional
        One that this rank has started already.
    references : References, optional
        What models are compared with.
    """

    folder: RunFolder
    config: RunConfig
    options: Options
    params: dict[str, Any]
    stop: StopRequest
    events: EventLog
    numberings: NumberingCache
    worker: WorkerProcess | None = None
    references: References | None = None


class TeamContext:
    """A team of a run, and what its shards are worked on with.

    Parameters
    ----------
    comm : communicator
        The team.
    index : int
        Its number.
    run : RunContext

    Attributes
    ----------
    names : RunNames
        Names of the models of each file.
    judge : ShardJudge
    numbering : Numbering
    worker : WorkerProcess
        Where this rank reads files, numbers sequences and computes graphs; whoever has made the context sets it up
        and stops it.
    """

    def __init__(self, comm: Communicator, index: int, run: RunContext):
        self.comm, self.index, self.run = comm, index, run
        self.folder, self.config, self.options, self.stop, self.events = (
            run.folder, run.config, run.options, run.stop, run.events
        )  # fmt: skip
        self.names = RunNames(run.params)
        name = f"team_{index:04d}_{this_job().array_task or 0}"
        self.worker = run.worker or model_worker()
        batches = run.config.stage_a.anarci_parallel_batches
        self.numbering = Numbering(comm, run.numberings, batches, name, run.events, self.worker)
        self.judge = ShardJudge(run.config, run.folder.root, run.options.cluster, reference_facts(run.references))

    @property
    def is_root(self) -> bool:
        """Whether this is the team's first rank."""
        return self.comm.rank == 0
