"""ZDOCK: complexes that create.pl has made of the predictions in its output file."""

import re

from ..header_scores import finite
from .beside import Beside
from .layout import Layout, Place, Scores
from .placing import once_in_pdb, parted
from .reading import ScoreFiles
from .tables import Row, numbers_of, row_of, target_of

_COMPLEX = re.compile(r"complex\.(?P<number>\d{1,18})")
#: Of a prediction: three angles, three places on the grid, the score.
_N_COLUMNS = 7


def _place(path: str, root: str) -> Place | None:
    folders, stem = parted(path)
    found = _COMPLEX.fullmatch(stem)
    if found is None:
        return None
    target = target_of(folders, root)
    return Place("zdock", target, f"{target}_{stem}", sample=int(found["number"]))


def _predictions(content: bytes) -> dict[str, Row]:
    """Scores by the number of the complex, from the lines behind those that name the receptor and the ligand.

    Before them stand the grid and one or two rotations (https://zdock.wenglab.org/zdock_output_format.php).
    """
    lines = [line.split() for line in content.decode().splitlines() if line.strip()]
    named = [k for k, words in enumerate(lines[:5]) if len(words) >= 4 and finite(words[-4]) is None]
    if len(named) != 2 or not lines[named[1] + 1 :]:
        raise ValueError("is no output of ZDOCK: a grid, rotations, a receptor, a ligand and predictions were expected")
    return {str(number): _of_prediction(words) for number, words in enumerate(lines[named[1] + 1 :], start=1)}


def _of_prediction(words: list[str]) -> Row:
    if len(words) != _N_COLUMNS or finite(words[-1]) is None:
        return f"has {len(words)} columns in a prediction up to {words[-1]}; expected {_N_COLUMNS}, the last a score"
    return numbers_of({"zdock": words[-1]})


def _scores(beside: Beside, path: str) -> Scores:
    """From the file *.out beside the complexes or above them, since users name it as they like."""
    folders, stem = parted(path)
    files = ScoreFiles(beside, path)
    for folder, before in ((folders, ""), (folders[:-1], "../"))[: 2 if folders else 1]:
        names = [name for name in beside.names("/".join(folder)) if name.endswith(".out")]
        for name in sorted(names, key=lambda name: (name != "zdock.out", name)):
            table = files.table(before + name, _predictions)
            if table.content:
                files.problems.clear()  # what others are damaged for: they may be of another program
                return files.scores(row_of(files, table, stem.partition(".")[2]))
    where = "/".join([*folders, "*.out"])
    files.problems.append(f"{where}: none is an output of ZDOCK that can be read; the model has no scores")
    return files.scores({})


LAYOUT = Layout(
    name="zdock",
    program="ZDOCK",
    words=("complex.", "zdock"),
    evidence=re.compile(r"(?:^|/)complex\.\d+\.pdb|(?:^|/)zdock[^/]*\.out$"),
    place=_place,
    scores=_scores,
    kept=once_in_pdb,
)
