"""Scores that stand in a model's own text: Quiver's and RFantibody's lines, HADDOCK's remarks, Rosetta's energies."""

import math
import re
from collections.abc import Iterator

#: More scores than any program writes of a model, and more letters than a name of one has.
_MOST_SCORES, _MOST_LETTERS = 200, 60
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_UNSAFE = re.compile(r"[^A-Za-z0-9_]")
#: ``QV_SCORE <tag> <name>=<value>|…`` as Quiver writes it, ``SCORE <name>: <value>`` as RF2 does.
_SCORE_LINE = re.compile(rb"^(QV_SCORE|SCORE)[ \t]+([^\r\n]+)", re.MULTILINE)
_REMARK = re.compile(rb"^REMARK[ \t]+([^\r\n]+)", re.MULTILINE)
#: Of HADDOCK's remarks besides its energies, which are named in the line above them.
_REMARKS = {
    "HADDOCK score": "haddock",
    "Desolvation energy": "desolv",
    "buried surface area": "bsa",
    "Binding energy": "binding",
    "Symmetry energy": "sym",
}
_KEY_VALUE = re.compile(rb"^([A-Za-z][^\s:]*)[ \t]+([-+.\d]\S*)[ \t\r]*$", re.MULTILINE)
#: Lines of two words that are PDB.
_RECORDS = frozenset({b"TER", b"END", b"ENDMDL", b"MODEL", b"CONECT", b"MASTER", b"REMARK"})
_TABLE, _TABLE_END = b"#BEGIN_POSE_ENERGIES_TABLE", b"#END_POSE_ENERGIES_TABLE"


def score_name(name: str) -> str:
    """A program's name of a score as a column has it.

    >>> score_name("model-cluster_ranking")
    'score_model_cluster_ranking'
    """
    return f"score_{_UNSAFE.sub('_', name)[:_MOST_LETTERS]}"


def finite(text: object) -> float | None:
    """A number as programs write it; None for what is none, not finite, or missing.

    >>> finite("-1.5e3"), finite("nan"), finite("-"), finite(7)
    (-1500.0, None, None, 7.0)
    """
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        return None
    if isinstance(text, str) and _NUMBER.fullmatch(text) is None:
        return None
    try:
        value = float(text)
    except OverflowError:  # an int of more than 308 digits
        return None
    return value if math.isfinite(value) else None


def header_scores(text: bytes) -> dict[str, float]:
    """Scores in what stands before a model's atoms and behind them.

    Parameters
    ----------
    text : bytes
        One model's; in mmCIF none are looked for.

    Returns
    -------
    scores : dict of str to float
        Under ``score_<name>``, in the program's own units; of a name that comes twice, the first. What is no finite
        number is left out. Quiver's ``QV_SCORE`` line gives its names and RF2's ``SCORE`` lines theirs, HADDOCK's
        remarks ``haddock``, ``bsa`` (Å²) and its energies (kcal/mol), Rosetta's energies table its weighted terms and
        ``total_score``, and the lines behind it their names (Rosetta energy units, Å², …).
    """
    head, tail = _around_atoms(text)
    found: dict[str, float] = {}
    for name, value in (*_lines(head), *_lines(tail), *_haddock(head), *_rosetta(head, tail)):
        number = finite(value)
        if number is not None and name and len(found) < _MOST_SCORES:
            found.setdefault(score_name(name), number)
    return found


def _around_atoms(text: bytes) -> tuple[bytes, bytes]:
    """A text before its first line of an atom and behind the last one; nothing of mmCIF."""
    first = 0 if text.startswith((b"ATOM", b"HETATM")) else text.find(b"\nATOM") + 1
    if (not first and not text.startswith((b"ATOM", b"HETATM"))) or text.rfind(b"\n_atom_site.", 0, first) >= 0:
        return b"", b""
    last = text.rfind(b"\nATOM", first)
    last = max(last, text.rfind(b"\nHETATM", max(last, 0)))
    end = text.find(b"\n", max(last + 1, first))
    return text[:first], b"" if end < 0 else text[end:]


def _lines(part: bytes) -> Iterator[tuple[str, str]]:
    if b"SCORE" not in part:
        return
    for word, said in _SCORE_LINE.findall(part):
        words = said.decode(errors="replace").split()
        if len(words) == 2 and words[0].endswith(":"):
            yield words[0][:-1], words[1]
        elif word == b"QV_SCORE":  # behind the tag, which may have blanks in it
            for score in words[-1].split("|"):
                name, _, value = score.partition("=")
                yield name, value


def _haddock(head: bytes) -> Iterator[tuple[str, str]]:
    if b"REMARK energies:" not in head and b"REMARK HADDOCK score:" not in head:
        return
    names: list[str] = []
    for said in _REMARK.findall(head):
        line = said.decode(errors="replace").strip()
        key, colon, value = line.partition(":")
        if not colon:
            names = [name.strip() for name in line.split(",")]
        elif key in _REMARKS:
            yield _REMARKS[key], value.strip()
        elif key == "energies" and {"vdw", "elec", "air"}.issubset(names):
            values = [number.strip() for number in value.split(",")]
            if len(values) == len(names):
                yield from zip(names, values, strict=True)


def _rosetta(head: bytes, tail: bytes) -> Iterator[tuple[str, str]]:
    start = tail.find(_TABLE)
    if start >= 0:
        label, pose = (_line_of(tail, word, start) for word in (b"\nlabel ", b"\npose "))
        if len(label) == len(pose):
            yield from (("total_score" if name == "total" else name, x) for name, x in zip(label, pose, strict=True))
        stop = tail.find(_TABLE_END, start)
        behind = tail[stop:] if stop >= 0 else b""
    elif b"REMARK PDBinfo-LABEL:" in tail or b"ROSETTA" in head:
        behind = tail
    else:
        return
    for name, value in _KEY_VALUE.findall(behind):
        if name not in _RECORDS:
            yield name.decode(errors="replace"), value.decode(errors="replace")


def _line_of(tail: bytes, word: bytes, start: int) -> list[str]:
    """The words of a line behind its first one."""
    at = tail.find(word, start)
    stop = tail.find(b"\n", at + 1)
    return tail[at : stop if stop >= 0 else len(tail)].decode(errors="replace").split()[1:] if at >= 0 else []
