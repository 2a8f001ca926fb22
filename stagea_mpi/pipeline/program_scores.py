"""What the program that made a model says of it: in the model's own text, and in the files beside it."""

from dataclasses import replace
from pathlib import PurePosixPath

from ..inputs import ModelRef
from ..inputs.header_scores import header_scores
from ..inputs.layouts import layout
from ..inputs.layouts.beside import Beside, FolderBeside, ZipBeside
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
    beside, path, problems = _beside(ref)
    if beside is None:
        return Scores(own, problems=problems)
    said = layout(ref.place.layout).scores(beside, path)
    return replace(said, values={**own, **said.values})


def _beside(ref: ModelRef) -> tuple[Beside | None, str, tuple[str, ...]]:
    if not ref.member:
        return FolderBeside(ref.path[: ref.below]), ref.path[ref.below :], ()
    if ref.is_zipped:
        return ZipBeside(ref.path), str(PurePosixPath(ref.member)), ()
    return None, "", (f"{ref.path}: scores in a tar archive are not read; unpack it, or make it a zip archive",)
