"""What the program that made a model says of it: in the model's own text, and in the files beside it."""

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from ..errors import ModelError
from ..inputs import ModelRef
from ..inputs.header_scores import header_scores
from ..inputs.layouts import layout
from ..inputs.layouts.beside import Beside, FolderBeside, TarBeside, ZipBeside
from ..inputs.layouts.layout import Scores


def has_plddt(ref: ModelRef) -> bool:
    """Whether the B factors of a model are pLDDT."""
    return bool(ref.place.layout) and layout(ref.place.layout).has_plddt


def program_scores(ref: ModelRef, text: bytes) -> Scores:
    """A model's scores by the files beside it, and by its own text where these do not have them.

    Parameters
    ----------
    ref : ModelRef
    text : bytes
        `containers.text_of` it.
    """
    own = header_scores(text)
    if not ref.place.layout:
        return Scores(own)
    said = layout(ref.place.layout).scores(*_beside(ref))
    said = replace(said, values={**own, **said.values})
    return _of_archive(said, ref) if ref.member else said


def _of_archive(said: Scores, ref: ModelRef) -> Scores:
    """Scores whose problems name the archive, too: of many, all may have members of one name."""
    problems = tuple(_named(problem, ref) for problem in said.problems)
    pae = said.pae and replace(
        said.pae, read=functools.partial(_read, said.pae.read, ref), path=_named(said.pae.path, ref)
    )
    return replace(said, problems=problems, pae=pae)


def _named(problem: str, ref: ModelRef) -> str:
    return f"{ref.path[ref.below :]}: {problem.removeprefix(f'{ref.path}: ')}"


def _read(
    read: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    ref: ModelRef,
    first: np.ndarray,
    second: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    try:
        return read(first, second)
    except ModelError as error:
        raise ModelError(error.reason, _named(str(error), ref), error.stage) from error


def _beside(ref: ModelRef) -> tuple[Beside, str]:
    if not ref.member:
        return FolderBeside(ref.path[: ref.below]), ref.path[ref.below :]
    beside = ZipBeside(ref.path) if ref.is_zipped else TarBeside(ref.path)
    return beside, str(PurePosixPath(ref.member))
