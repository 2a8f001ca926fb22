"""Residue names of four letters in PDB files, which reach into the columns of the chain or of the alternative location.

gemmi takes columns 18-20 as the residue's name and 21-22 as the chain's: LYSH of chain A is LYS of chain HA to it.
Large complexes have chains of two letters indeed. Which of the two is meant shows in what stands beside such a residue
in the file; where it does not, the model is refused.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ModelError
from ..structure.dialects import SIDE_CHAINS, is_alias, is_named, standard_residue
from ..structure.residues import is_amino_acid

# Places of a line, counted from 0.
_NAME, _SITE = slice(17, 20), slice(20, 27)  # a site: chain, number, insertion code
_ATOM = slice(12, 16)
_LOCATION, _FIRST_OF_CHAIN = 16, 20
_BLANK = ord(" ")
#: Residues from which on a run is a chain of two letters even where the numbers of its neighbours lead on to it.
_LEAST_CHAIN = 10


def with_short_names(content: bytes, starts: np.ndarray) -> bytes:
    """The text with the standard names of its amino acids in columns 18-20, where theirs reach beyond.

    Parameters
    ----------
    content : bytes
    starts : ndarray of int, shape=(n,)
        First bytes of the atom lines.

    Returns
    -------
    content : bytes
        Of the same length.

    Raises
    ------
    ModelError
        ``unreadable``, with both readings, where a chain of two letters and a name of four are as likely.
    """
    data = np.frombuffer(content, dtype=np.uint8)
    is_before, is_behind = (data[starts + place] != _BLANK for place in (_LOCATION, _FIRST_OF_CHAIN))
    if not is_before.any() and not is_behind.any():
        return content
    data = data.copy()
    if is_behind.any():
        _shorten_all(data, _residues(data, starts))
    if is_before.any():
        _check_atom_names(data, starts)
        _shorten_from_location(data, starts, is_before)
    return data.tobytes()


@dataclass(frozen=True, eq=False)
class _Residue:
    """Lines of a text that follow each other with one name, chain and number."""

    lines: np.ndarray
    name: str
    chain: bytes
    site: str
    is_long: bool
    is_amino_acid: bool

    @property
    def long_name(self) -> str:
        return (self.name + self.chain[:1].decode("latin-1")).strip()

    @property
    def number(self) -> int | None:
        """The number; five digits reach into the column of the insertion code."""
        text = self.site if self.site[4:].isdigit() else self.site[:4]
        return int(text) if text.strip().lstrip("-").isdecimal() else None


def _residues(data: np.ndarray, starts: np.ndarray) -> list[_Residue]:
    characters = data[starts[:, None] + np.arange(_NAME.start, _SITE.stop)]
    bounds = np.flatnonzero((characters[1:] != characters[:-1]).any(axis=1)) + 1
    residues = []
    for lines, row in zip(np.split(starts, bounds), characters[[0, *bounds]], strict=True):
        text = row.tobytes()
        name, first = text[:3].decode("latin-1"), text[3:4].decode("latin-1")
        is_long = first != " " and is_named((name + first).strip())
        residues.append(
            _Residue(lines, name, text[3:5], text[5:].decode("latin-1"), is_long, is_amino_acid(name.strip()))
        )
    return residues


def _shorten_all(data: np.ndarray, residues: list[_Residue]) -> None:
    groups: dict[bytes, list[int]] = {}
    for k, residue in enumerate(residues):
        if residue.chain[:1] != b" ":
            groups.setdefault(residue.chain, []).append(k)
    chains = {chain for chain, group in groups.items() if _is_chain(group, residues)}
    for chain in sorted(chains):
        for run in _runs(groups[chain], residues):
            is_long = len(run) < _LEAST_CHAIN and all(residues[k].is_long for k in run)
            if is_long and _is_embedded(residues, run, chains):
                raise _refusal(data, residues[run[0]])
    for chain in sorted(groups.keys() - chains):
        _shorten(data, groups[chain], residues, chains)


def _is_chain(group: list[int], residues: list[_Residue]) -> bool:
    """Whether some residues with one pair of letters in columns 21-22 follow each other as those of a chain do."""
    return any(
        len(run) > 1
        and not all(residues[k].is_long for k in run)
        and (len(run) >= _LEAST_CHAIN or not _is_embedded(residues, run, set()))
        for run in _runs(group, residues)
    )


def _runs(group: list[int], residues: list[_Residue]) -> list[np.ndarray]:
    """Amino acids of a group, as they follow each other in the file."""
    own = np.array([k for k in group if residues[k].is_long or residues[k].is_amino_acid], dtype=np.intp)
    return np.split(own, np.flatnonzero(np.diff(own) > 1) + 1) if len(own) else []


def _shorten(data: np.ndarray, group: list[int], residues: list[_Residue], chains: set[bytes]) -> None:
    """Gives residues of one pair of letters in columns 21-22 their names, where the first letter is the names'."""
    runs = _runs(group, residues)
    if not runs:
        if residues[group[0]].chain[1:] == b" ":  # POPC of a blank chain is none of chain C
            for k in group:
                at = int(residues[k].lines[0])
                if not is_named(data[at + _LOCATION : at + _NAME.stop].tobytes().decode("latin-1").strip()):
                    data[residues[k].lines + _FIRST_OF_CHAIN] = _BLANK
        return
    own = np.concatenate(runs).tolist()
    embedded = [_is_embedded(residues, run, chains) for run in runs]
    n_long = sum(residues[k].is_long for k in own)
    if n_long == len(own) and any(embedded):
        for k in own:
            _rename(data, residues[k].lines, standard_residue(residues[k].long_name))
            data[residues[k].lines + _FIRST_OF_CHAIN] = _BLANK
    elif n_long or any(embedded):
        odd = next((run[0] for run, inside in zip(runs, embedded, strict=True) if inside), own[0])
        raise _refusal(data, residues[odd])


def _is_embedded(residues: list[_Residue], run: np.ndarray, chains: set[bytes]) -> bool:
    """Whether a run stands in a chain that has its second letter only: the numbers beside it lead on to it.

    `chains` are chains of two letters for certain: what stands beside the run in one of them is of another chain.
    """
    first, last = residues[run[0]], residues[run[-1]]

    def beside(k: int) -> int | None:
        inside = 0 <= k < len(residues) and residues[k].chain[1:] == first.chain[1:] and residues[k].chain not in chains
        return residues[k].number if inside else None

    before, behind = beside(run[0] - 1), beside(run[-1] + 1)
    if first.number is None or last.number is None:
        return False
    if (before is not None and abs(first.number - before) <= 1) or (
        behind is not None and abs(behind - last.number) <= 1
    ):
        return True
    return before is not None and behind is not None and before < first.number and last.number < behind


def _refusal(data: np.ndarray, residue: _Residue) -> ModelError:
    def chain(letters: bytes) -> str:
        return f"chain {letters.decode('latin-1').strip()}" if letters.strip() else "the blank chain"

    at, number = _line(data, int(residue.lines[0])), residue.site.strip()
    return ModelError(
        "unreadable",
        f"columns 18-22 of line {at} of the model may be residue {residue.long_name} {number} of "
        f"{chain(residue.chain[1:])}, or residue {residue.name.strip()} {number} of {chain(residue.chain)}; "
        "write names of three letters in columns 18-20, or the model as mmCIF",
        "read",
    )


def _check_atom_names(data: np.ndarray, starts: np.ndarray) -> None:
    """Refuses names with blanks inside: a line that is shifted to the left has the location in the name's columns.

    (Of HETATM records they are not looked at: old files have N A in haem.)
    """
    first, second, third, fourth = (data[starts + place] != _BLANK for place in range(_ATOM.start, _ATOM.stop))
    is_broken = (first & ~second & (third | fourth)) | ((first | second) & ~third & fourth)
    is_broken &= data[starts] & 0xDF == ord("A")
    _check_shifted_names(data, starts)
    if is_broken.any():
        start = int(starts[is_broken.argmax()])
        found = data[start + _ATOM.start : start + _ATOM.stop].tobytes().decode("latin-1")
        message = (
            f"line {_line(data, start)} of the model has the atom name {found!r} in columns 13-16, with a blank in it"
        )
        raise ModelError("unreadable", message, "read")


def _check_shifted_names(data: np.ndarray, starts: np.ndarray) -> None:
    """Refuses CG in columns 15-16 with 1 in column 17, of a residue that has no CG but a CG1."""
    width = range(_ATOM.start, _NAME.stop)
    with_location = starts[(data[starts + _LOCATION] >= ord("1")) & (data[starts + _LOCATION] <= ord("3"))]
    fields = data[with_location[:, None] + np.array(width)]
    unique, first = np.unique(fields, axis=0, return_index=True)
    for row, k in zip(unique, first.tolist(), strict=True):
        text = row.tobytes().decode("latin-1")
        atom, location, residue = text[:4].strip(), text[4], standard_residue(text[5:8].strip())
        own = SIDE_CHAINS.get(residue, "").split()
        if atom + location in own and atom not in own and not is_alias(residue, atom):
            line = _line(data, int(with_location[k]))
            message = (
                f"columns 13-17 of line {line} of the model may be atom {atom + location} of {residue}, a column to "
                f"the right of its place, or location {location} of an atom {atom} that {residue} has not"
            )
            raise ModelError("unreadable", message, "read")


def _line(data: np.ndarray, start: int) -> int:
    return int((data[:start] == ord("\n")).sum()) + 1


def _shorten_from_location(data: np.ndarray, starts: np.ndarray, is_before: np.ndarray) -> None:
    """Names that begin in column 17, where alternative locations are told apart.

    LYSH there is location L of YSH, and no residue has that name. NALA is location N of ALA: it is only no location
    where its site has no other.
    """
    sites = data[starts[:, None] + np.arange(_SITE.start, _SITE.stop)]
    for residue in _residues(data, starts[is_before]):
        location, name = chr(data[residue.lines[0] + _LOCATION]), residue.name.rstrip()
        if not is_named(location + name):
            continue
        atoms = [data[line + _ATOM.start : line + _ATOM.stop].tobytes().strip() for line in residue.lines.tolist()]
        if not is_amino_acid(name):
            if {b"N", b"CA", b"C"} & set(atoms):  # else a ligand: location A of SPH is not ASPH
                _rename(data, residue.lines, standard_residue(location + name))
                data[residue.lines + _LOCATION] = _BLANK
        elif len(set(atoms)) == len(atoms) and _count(sites, data, residue.lines[0]) == len(atoms):
            _rename(data, residue.lines, standard_residue(location + name))
            data[residue.lines + _LOCATION] = _BLANK


def _count(sites: np.ndarray, data: np.ndarray, line: int) -> int:
    """Lines of the site that a line is of."""
    return int((sites == data[line + _SITE.start : line + _SITE.stop]).all(axis=1).sum())


def _rename(data: np.ndarray, lines: np.ndarray, name: str) -> None:
    for place, letter in enumerate(name.ljust(3).encode(), start=_NAME.start):
        data[lines + place] = letter
    if name in SIDE_CHAINS:  # as for names of dialects that are short (`dialects.standard_names`)
        of_het = lines[data[lines] & 0xDF == ord("H")]
        for place, letter in enumerate(b"ATOM  "):
            data[of_het + place] = letter
