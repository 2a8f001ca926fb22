"""Every error that a user meets, with the exit code it leads to.

A failed *model* is data, not an end: `ModelError` becomes a row of failures.tsv and the run goes on. All others end the
run with `exit_code`.
"""

import os
from collections.abc import Iterable

DONE = 0
FAILED = 1
WRONG_USE = 2
AFFINITY_REFUSED = 3
TOO_MANY_FAILED = 4
STOPPED_EARLY = 75


def escape_unprintable(text: str) -> str:
    r"""Text from outside, such as a file's name, as a terminal or a table may show it.

    What is no character that can be seen stands there by its number: a terminal would take it for a command.

    >>> print(escape_unprintable("a\x1b[31mb\udcff"))
    a\x1b[31mb\udcff
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names as a message lists them.

    >>> listed(["a", "b", "c"], most=2), listed([])
    ('a, b and 1 more', 'none')
    """
    names = list(names)
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + rest


class StageAError(Exception):
    """An error that ends the run; its message says what was found, what was expected and what to do."""

    exit_code = FAILED
    #: How many ranks raise this error together, by agreement: when all do, none has to abort the others.
    raised_on = 0


class ConfigError(StageAError):
    """The configuration or the command line is wrong."""

    exit_code = WRONG_USE


class LaunchError(StageAError):
    """The launcher, the MPI library and the environment do not fit together."""

    #: Whether it may be this process's own finding, which the others do not make.
    is_local = False


class NotBuiltError(StageAError, ImportError):
    """The part of the package that is compiled is not there, or not for this Python or machine."""


class AffinityError(StageAError):
    """Ranks have fewer CPUs than were asked for, and `strict_affinity` is set."""

    exit_code = AFFINITY_REFUSED


class SlurmError(StageAError):
    """A command of Slurm's failed, or is not there."""


class RunFolderError(StageAError):
    """The run folder does not hold what this phase needs, or holds something else."""

    exit_code = WRONG_USE


class StorageError(StageAError):
    """The disk is full, read-only or failing."""

    @classmethod
    def of(cls, error: OSError, path: str | os.PathLike[str]) -> "StorageError":
        """The same, said of a file."""
        return cls(f"{path}: {error.strerror or error}; see to the file system and run the same command again")


class ShardBusyError(StageAError):
    """Another run is writing this shard."""


#: What can be wrong with one model: reason code → what it means, in a sentence. New ones go to the end: packed.h5
#: holds positions.
REASONS = {
    "unreadable": "the file cannot be read as a structure",
    "no_models": "the file holds no model with atoms",
    "duplicate_name": "an earlier model of the shard has the same name",
    "chain_missing": "a stated chain is not in the model",
    "chain_empty": "a stated chain has no amino-acid residues with ATOM records",
    "bad_coordinates": "a coordinate is not a finite number, or atoms lie on top of each other",
    "no_interface": "no antibody atom is within 5.0 Å of an antigen atom",
    "numbering_failed": "ANARCI could not number the antibody's sequence",
    "child_failed": "a program that versions before 0.2.0 called failed or gave unreadable output",
    "timeout": "the model took longer than model_timeout_s, or its sequences longer than numbering may",
    "unexpected": "an error that the program does not know; please report it with the model",
    "too_large": "the model has more text, or more atoms, than a rank may take",
    "unsafe_member": "a member of the archive leads out of it, or is a link or a special file",
    "no_backbone": "the residues have no backbone atoms",
    "unknown_residues": "the residues are none of the amino acids",
    "wrong_chain_type": "a stated heavy chain is a light one, or a stated light chain a heavy one",
    "no_antibody": "no chain with a heavy variable domain is left to be the antibody",
    "no_antigen": "no chain is left to be the antigen",
    "chains_unstated": "the table of chains has no row for the model",
    "crashed": "the process that computed the model, or numbered its sequences, ended in the middle of it, twice",
    "antibody_in_antigen": "the antibody's chains lack a variable domain that the antigen's have",
}

#: Reasons that may lie in the machine instead of the model: a shard with too many failures is built again for them.
TRANSIENT_REASONS = {"numbering_failed", "child_failed", "timeout", "unexpected", "crashed"}

#: What to do about each.
ADVICE = {
    "unreadable": (
        "Open the file and see what it is: it may be cut short, damaged, or no structure at all. Fetch or write "
        "it again, or keep it out by stage_a.glob."
    ),
    "no_models": "Keep the file out by stage_a.glob, or write it again: it is empty, or has no line with an atom.",
    "duplicate_name": "Rename one of the two, or remove the copy. The first one has its graph.",
    "chain_missing": (
        "Compare `chains` with the chains that the message lists; state the right ones, or let them be found "
        "(`chains: auto`), or give a table where models differ."
    ),
    "chain_empty": "The chain holds only ligands, sugars or HETATM records. State another one.",
    "bad_coordinates": (
        "The message names the line or the two atoms. Write the model again; coordinates wider than their columns "
        "need mmCIF, and overlaid copies of a chain need to be separate models."
    ),
    "no_interface": (
        "The two do not touch. For a failed docking pose that is the answer; else see whether `chains` names the "
        "partners that touch."
    ),
    "numbering_failed": "See the message for what ANARCI said, and run `python -m stagea_mpi doctor`.",
    "child_failed": "Run again: no program is called any more.",
    "timeout": "Raise stage_a.model_timeout_s, or keep fewer chains in the model.",
    "unexpected": "Report it with the model and the log, which has the traceback.",
    "too_large": (
        "Keep the chains of one complex, without solvent, or split an mmCIF file of many models into files; a model of "
        "more than `model_max_atoms` atoms is computed when that is raised."
    ),
    "unsafe_member": (
        "Make the archive anew from the files themselves, with paths below one folder (tar --dereference)."
    ),
    "no_backbone": "Graphs need all heavy atoms; a trace of Cα or of side chains does not do. Rebuild the model.",
    "unknown_residues": "Name the residues by their standard three-letter codes, or state chains that are proteins.",
    "wrong_chain_type": "Swap heavy and light in `chains`, or let them be found (`chains: auto`).",
    "no_antibody": "The message lists what was found in each chain. State the chains if the antibody is known.",
    "no_antigen": (
        "The message lists what was found in each chain. The file may hold the antibody alone, or antibody and "
        "antigen as one chain."
    ),
    "chains_unstated": "Add a row for the model to the table, or a last row with the pattern * for all others.",
    "crashed": (
        "It ran out of memory (SIGKILL: see the job's limit, and `model_max_atoms`), or a library crashed (SIGSEGV): "
        "report it with the model."
    ),
    "antibody_in_antigen": (
        "The message says which chain has the domain. State the chains as they are, or let them be found (`chains: "
        "auto`); where they are meant so, set `chains.check: false`."
    ),
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

    def __reduce__(self) -> tuple[type["ModelError"], tuple[str, str, str | None]]:
        return type(self), (self.reason, str(self), self.stage)
