"""ZDOCK: complexes that create.pl has made of the predictions in its output file."""

import re

from .beside import Beside
from .layout import Layout, Place, Scores
from .score_files import PDB, ScoreTable, joined, numbers_of, parsed_or_said, parts_of, row_or_said, target_of

_COMPLEX = re.compile(rf"(?P<name>complex\.(?P<number>\d+))(?:{PDB})?")
_OUTPUT = re.compile(r".*\.out")
#: Columns of a prediction: three angles, three places on the grid, the score.
_N_COLUMNS = 7


def _place(path: str, root: str) -> Place | None:
    folder, name = parts_of(path)
    found = _COMPLEX.fullmatch(name)
    if found is None:
        return None
    target = target_of(folder, root)
    return Place("zdock", target, f"{target}_{found['name']}", sample=int(found["number"]))


def _predictions(content: bytes) -> ScoreTable:
    """Scores by the number of the complex, from the lines behind those that name the receptor and the ligand.

    Before them stand the grid and one or two rotations (https://zdock.wenglab.org/zdock_output_format.php).
    """
    lines = [line.split() for line in content.decode().splitlines() if line.strip()]
    named = [k for k, words in enumerate(lines[:5]) if len(words) >= 4 and not numbers_of({"x": words[-4]})]
    if len(named) != 2:
        raise ValueError("is no output of ZDOCK: a grid, rotations, a receptor, a ligand and predictions were expected")
    rows, damage = {}, ""
    for number, words in enumerate(lines[named[1] + 1 :], start=1):
        row = numbers_of({"zdock": words[-1]})
        if len(words) == _N_COLUMNS and row:
            rows[str(number)] = row
        else:
            damage = f"prediction {number} has {len(words)} columns, {_N_COLUMNS} were expected"
    return ScoreTable(rows, damage)


def _scores(beside: Beside, path: str) -> Scores:
    folder, name = parts_of(path)
    found = _COMPLEX.fullmatch(name)
    if found is None:
        return Scores()
    problems: list[str] = []
    for place in dict.fromkeys((folder, parts_of(folder)[0])):
        said: list[str] = []
        outputs = sorted(filter(_OUTPUT.fullmatch, beside.names(place)), key=lambda name: (name != "zdock.out", name))
        for output in outputs:
            where = joined(place, output)
            table = parsed_or_said(beside, where, _predictions, said)
            if table is not None:
                values = row_or_said(table, found["number"], where, problems)
                return Scores(values, problems=tuple(problems))
        problems += said
    return Scores(problems=tuple(problems or [f"{joined(folder, 'zdock.out')}: is missing; its scores are left out"]))


LAYOUT = Layout(
    name="zdock",
    program="ZDOCK",
    words=("complex.", "zdock"),
    evidence=re.compile(rf"(?:^|/)complex\.\d+{PDB}$|(?:^|/)zdock[^/]*\.out$"),
    place=_place,
    scores=_scores,
)
