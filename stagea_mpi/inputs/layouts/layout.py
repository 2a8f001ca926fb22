"""What a program's output folder says of its models: which files are models, what they are called, how they score.

A layout is a module of this folder that holds one `Layout` as ``LAYOUT``; `layouts.NAMES` has its name. It knows paths
below the input folder, with / between their parts, or those of an archive's members.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from .beside import Beside


@dataclass(frozen=True)
class Place:
    """A model's place in the output of a program.

    Attributes
    ----------
    layout : str
        Name of the layout, empty for a file of none.
    target : str
        What was predicted or docked: models of one target are ranked among each other.
    name : str
        What the model is called, unless another one of the run is called so.
    seed, sample : int or None
        As the program counts them; `sample` is what tells models of one seed apart.
    folder : str
        Where the target's models lie, below the input folder or in an archive. Targets of one name in several folders
        are several ones, as a job's that was submitted under one name for each complex.
    """

    layout: str = ""
    target: str = ""
    name: str = ""
    seed: int | None = None
    sample: int | None = None
    folder: str = ""

    @property
    def target_by_folder(self) -> str:
        """The target's name with its folder's before it, for one of `shared_targets`.

        >>> Place(target="query", folder="7abc/out").target_by_folder
        '7abc__out__query'
        >>> Place(target="7abc", folder="x/7abc").target_by_folder
        'x__7abc'
        """
        parts = [part for part in self.folder.split("/") if part]
        return "__".join(parts if parts[-1:] == [self.target] else [*parts, self.target])


def shared_targets(places: Iterable[Place]) -> frozenset[str]:
    """Names of targets that lie in several folders each."""
    first: dict[str, str] = {}
    return frozenset(p.target for p in places if first.setdefault(p.target, p.folder) != p.folder)


#: Of a model of which nothing is known but its file, and of a program's file that is no model.
NOWHERE = Place()


@dataclass(frozen=True)
class Pae:
    """Predicted aligned errors of a model, read when their tokens are known.

    Attributes
    ----------
    read : callable
        Takes the tokens (int, ascending) of two sides, and gives the errors (Å, float32) of the second side's tokens
        where the first side's are aligned, shape=(len(first), len(second)), and the other way round,
        shape=(len(second), len(first)).
    n_tokens : int
    path : str
        The file's, for messages.
    chain : ndarray of bytes, shape=(n_tokens,), or None
        The chain of each token, as the model's file has it; None where tokens follow the model's residues and atoms
        in the order of its file: one for each standard amino acid, one for each heavy atom of anything else.
    number : ndarray of int64, shape=(n_tokens,), or None
        The author's number of each token's residue.
    """

    read: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    n_tokens: int
    path: str
    chain: np.ndarray | None = None
    number: np.ndarray | None = None


@dataclass(frozen=True)
class Scores:
    """What a program says of one model.

    Attributes
    ----------
    values : mapping of str to float
        ``ptm``, ``iptm`` (0 to 1), ``ranking_score``, and the program's own under ``score_<name>``, in its own units.
    pair_iptm : ndarray of float, shape=(k, k), or None
        ipTM of pairs of chains (0 to 1).
    pair_chains : tuple of str
        The chains of `pair_iptm`, as the model's file has them; empty where they are all chains in the file's order.
    pae : Pae or None
    problems : tuple of str
        What could not be read, each with its file.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    pair_iptm: np.ndarray | None = None
    pair_chains: tuple[str, ...] = ()
    pae: Pae | None = None
    problems: tuple[str, ...] = ()


def all_count(paths: Iterable[str]) -> Callable[[str], bool]:
    """`Layout.kept` of a program that writes each model once."""
    return lambda path: True


@dataclass(frozen=True)
class Layout:
    """How one program lays out what it writes.

    Attributes
    ----------
    name : str
        In run.yaml.
    program : str
        In messages and documentation.
    words : tuple of str
        Every path that is evidence has one of them in it. (A regular expression takes ten times as long, and a run has
        a million files.)
    evidence : Pattern
        Found in paths of files that this program alone writes, models or not.
    place : callable
        From a path and the name of the folder (or the archive) that it is below, to the model's `Place`; None where the
        file is no model of this layout, but a copy of one, an input or a template. Where other programs' models may be
        called as this one's copies are, `NOWHERE` says that it is none of theirs either.
    scores : callable
        From the files beside it and the model's path to its `Scores`. A file that is missing or damaged is a problem
        in these; other errors are not to be raised.
    has_plddt : bool
        Whether B factors of the models are pLDDT, 0 to 100.
    kept : callable
        From the paths of all models of this layout in a run, those that have a `Place`, to a function that says of such
        a path whether its model counts: of one pose that lies there refined and as it was before, or twice, one does.
    kept_inside : callable
        The same of the names that the models of one file have in it (Quiver's tags).
    """

    name: str
    program: str
    words: tuple[str, ...]
    evidence: re.Pattern[str]
    place: Callable[[str, str], Place | None]
    scores: Callable[[Beside, str], Scores]
    has_plddt: bool = False
    kept: Callable[[Iterable[str]], Callable[[str], bool]] = all_count
    kept_inside: Callable[[Iterable[str]], Callable[[str], bool]] = all_count

    def is_evidence(self, path: str) -> bool:
        """Whether a path shows that this program has written it."""
        return any(word in path for word in self.words) and self.evidence.search(path) is not None
