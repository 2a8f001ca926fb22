"""Every error that a user meets, with the exit code it leads to.

A failed *model* is data, not an end: `ModelError` becomes a row of failures.tsv and the run goes on. All others end the
run with `exit_code`.
"""

DONE = 0
FAILED = 1
WRONG_USE = 2
AFFINITY_REFUSED = 3
TOO_MANY_FAILED = 4
STOPPED_EARLY = 75


class StageAError(Exception):
    """An error that ends the run; its message says what was found, what was expected and what to do."""

    exit_code = FAILED
    #: How many ranks raise this error together, by agreement: when all do, none has to abort the others.
    agreed_by = 0


class ConfigError(StageAError):
    """The configuration or the command line is wrong."""

    exit_code = WRONG_USE


class LaunchError(StageAError):
    """The launcher, the MPI library and the environment do not fit together."""


class AffinityError(StageAError):
    """Ranks have fewer CPUs than were asked for, and `strict_affinity` is set."""

    exit_code = AFFINITY_REFUSED


class SlurmError(StageAError):
    """A command of Slurm's failed, or is not there."""


class RunFolderError(StageAError):
    """The run folder does not hold what this phase needs, or holds something else."""

    exit_code = WRONG_USE


class ShardBusyError(StageAError):
    """Another run is writing this shard."""


#: What can be wrong with one model: reason code → what it means, in a sentence.
REASONS = {
    "unreadable": "the file cannot be read as a structure",
    "no_models": "the file holds no model with atoms",
    "duplicate_name": "another model of the shard has the same name",
    "chain_missing": "a stated chain is not in the model",
    "chain_empty": "a stated chain has no amino-acid residues with ATOM records",
    "bad_coordinates": "a coordinate is not a finite number, or atoms lie on top of each other",
    "no_interface": "no antibody atom is within 5.0 Å of an antigen atom",
    "numbering_failed": "ANARCI could not number the antibody's sequence",
    "child_failed": "a program that the graph needs failed or gave unreadable output",
    "timeout": "the model took longer than model_timeout_s",
    "unexpected": "an error that the program does not know; please report it with the model",
}


class ModelError(StageAError):
    """One model cannot be turned into a graph.

    Parameters
    ----------
    reason : str
        A key of `REASONS`.
    message : str
        What was found, in one line.
    stage : str or None
        The stage that failed; the pipeline fills it in where it is None.
    """

    def __init__(self, reason: str, message: str, stage: str | None = None):
        if reason not in REASONS:
            raise ValueError(f"reason is {reason!r}, expected one of {sorted(REASONS)}")
        super().__init__(message)
        self.reason = reason
        self.stage = stage

    def __reduce__(self):
        return type(self), (self.reason, str(self), self.stage)
