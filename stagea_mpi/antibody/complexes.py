"""One complex as two merged chains: the antibody (heavy, then light) is chain A, the antigen is chain B."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import ModelError
from ..inputs import AtomTable
from ..structure.dialects import is_dialect
from ..structure.residues import is_amino_acid, one_letter


@dataclass(frozen=True)
class ResidueRange:
    """Part of a chain, in residues counted from 0 in file order.

    Attributes
    ----------
    first : int
    stop : int or None
        The residue behind the last; None for the chain's end.
    """

    first: int = 0
    stop: int | None = None


WHOLE = ResidueRange()


@dataclass(frozen=True)
class Chains:
    """Which chains of the input are what.

    Attributes
    ----------
    heavy : str
    light : str or None
        None for a single-domain antibody (VHH).
    antigen : tuple of str
        In the order in which they are merged.
    heavy_range, light_range : ResidueRange
        What of these chains is meant: of an scFv, heavy and light are parts of one chain.
    check : bool
        Whether a model is refused in which the chains cannot be what they are said to be.
    """

    heavy: str
    light: str | None
    antigen: tuple[str, ...]
    heavy_range: ResidueRange = WHOLE
    light_range: ResidueRange = WHOLE
    check: bool = True

    @property
    def merged(self) -> tuple[str, ...]:
        """Names in the order in which the chains are merged: heavy, light, the antigen's."""
        antibody = (self.heavy,) if self.light is None else (self.heavy, self.light)
        return (*antibody, *self.antigen)

    def as_dict(self) -> dict[str, Any]:
        """In run.yaml's shape."""
        found = {"heavy": self.heavy, "light": self.light or "-", "antigen": list(self.antigen)}
        return found if self.check else {**found, "check": False}

    def fingerprint(self) -> dict[str, Any]:
        """What a graph's numbers depend on."""
        return self.as_dict()

    def sides(self) -> tuple[str, str]:
        """Antibody and antigen as the manifest names them: `H,L` and `A`; of a part, `B:1-118`."""
        antibody = [_named(self.heavy, self.heavy_range)]
        if self.light is not None:
            antibody.append(_named(self.light, self.light_range))
        return ",".join(antibody), ",".join(self.antigen)

    @classmethod
    def of_sides(cls, antibody: str, antigen: str) -> "Chains":
        """The chains of which `sides` has given the names; they are not checked once more.

        >>> Chains.of_sides("B:1-118,B:134-", "A,C") == Chains(
        ...     "B", "B", ("A", "C"), ResidueRange(0, 118), ResidueRange(133), check=False
        ... )
        True

        Raises
        ------
        ValueError
            They are no names that `sides` gives.
        """
        named = [_part(name) for name in antibody.split(",")]
        if len(named) > 2 or not all(name for name, _ in named) or not antigen:
            raise ValueError(f"expected one or two chains of an antibody and an antigen, found {(antibody, antigen)}")
        (heavy, heavy_range), (light, light_range) = named[0], named[1] if len(named) == 2 else (None, WHOLE)
        return cls(heavy, light, tuple(antigen.split(",")), heavy_range, light_range, check=False)

    def __str__(self) -> str:
        return f"heavy {self.heavy}, light {self.light or 'none'}, antigen {', '.join(self.antigen)}"


def _named(name: str, part: ResidueRange) -> str:
    if part.first == 0 and part.stop is None:
        return name
    return f"{name}:{part.first + 1}-{'' if part.stop is None else part.stop}"


def _part(text: str) -> tuple[str, ResidueRange]:
    """A chain and the part of it that is meant, of `_named`'s text."""
    match = re.fullmatch(r"(.+):(\d+)-(\d*)", text)
    if match is None:
        return text, WHOLE
    return match[1], ResidueRange(int(match[2]) - 1, int(match[3]) if match[3] else None)


@dataclass(frozen=True)
class Complex:
    """Atoms (ATOM records only) and sequences of a merged complex, chain A before chain B.

    Attributes
    ----------
    chain : ndarray of uint8, shape=(n,)
        0 for A, 1 for B.
    residue_number : ndarray of int32, shape=(n,)
        From 1 through each merged chain; position k of the chain's sequence is residue k.
    residue : ndarray of int32, shape=(n,)
        Index of the residue among all residues of the complex, from 0.
    sequence_place : ndarray of int32, shape=(r,)
        Of each residue of the complex its place, from 0, in the sequences as they run in the file: `heavy`, `light` and
        those of `antigen`, one behind the other. (Another than its index only where numbers do not ascend.)
    residue_name, atom_name : ndarray of bytes, shape=(n,)
    input_chain : ndarray of uint16, shape=(n,)
        Which of `Chains.merged` each atom is of.
    author_number : ndarray of int64, shape=(n,)
        As in `AtomTable`.
    is_hydrogen : ndarray of bool, shape=(n,)
    xyz : ndarray of float64, shape=(n, 3)
        Å.
    b_factor : ndarray of float32, shape=(n,)
        As in `AtomTable`.
    sequences : tuple of str
        Of the merged chains A and B: one letter a residue, X for a residue without a parent amino acid.
    heavy, light : str
        Sequences of the antibody's chains (or of the parts that are meant) as they run in the file; `light` is empty
        where there is none.
    antigen : tuple of str
        Those of the antigen's chains.
    n_dropped_locations : int
        Atoms of the chosen chains that gave way to another location of them.
    findings : dict
        What has been found out of all this but the coordinates and B factors, by what it is: complexes that differ in
        these alone share it.
    """

    chain: np.ndarray
    residue_number: np.ndarray
    residue: np.ndarray
    sequence_place: np.ndarray
    residue_name: np.ndarray
    atom_name: np.ndarray
    input_chain: np.ndarray
    author_number: np.ndarray
    is_hydrogen: np.ndarray
    xyz: np.ndarray
    b_factor: np.ndarray
    sequences: tuple[str, str]
    heavy: str
    light: str
    antigen: tuple[str, ...]
    n_dropped_locations: int
    findings: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)


def merge_chains(atoms: AtomTable, chains: Chains, source: str) -> Complex:
    """Merges the stated chains of a model.

    HETATM atoms stay out; a modified residue (MSE, say) still has its place in the numbering and in the sequence.
    Within a chain, residues are ordered by their number and insertion code, as DeepRank-Ab merges them. (That is the
    file's order but for IMGT's 112B, 112A, 112; where numbers repeat, the file's order stays.)

    Parameters
    ----------
    atoms : AtomTable
    chains : Chains
    source : str
        The model's origin, for messages.

    Raises
    ------
    ModelError
        ``chain_missing``, ``chain_empty``, ``unknown_residues`` or ``no_backbone``.
    """
    complex_, rows = _known_or_merged(atoms, chains, source)
    return replace(complex_, xyz=atoms.xyz[rows], b_factor=atoms.b_factor[rows])


def merged_rows(atoms: AtomTable, chains: Chains, source: str) -> np.ndarray:
    """Rows of a complex's atoms in the model's table, shape=(n,); arguments and errors are those of `merge_chains`."""
    return _known_or_merged(atoms, chains, source)[1]


def _known_or_merged(atoms: AtomTable, chains: Chains, source: str) -> tuple[Complex, np.ndarray]:
    """The complex without its coordinates and B factors, and the row of each of its atoms."""
    key = "merged", chains
    if key not in atoms.findings:
        atoms.findings[key] = _merged(atoms, chains, source)
    found: tuple[Complex, np.ndarray] = atoms.findings[key]
    return found


def _merged(atoms: AtomTable, chains: Chains, source: str) -> tuple[Complex, np.ndarray]:
    wanted = list(chains.merged)
    antibody = wanted[: len(wanted) - len(chains.antigen)]
    present = chain_names(atoms)
    missing = [name for name in dict.fromkeys(wanted) if name not in present]
    if missing:
        message = f"{source}: no chain {', '.join(missing)}; there are {', '.join(present)}{said_of_segments(atoms)}"
        raise ModelError("chain_missing", message, "chains")
    asked = [chains.heavy_range, chains.light_range][: len(antibody)] + [WHOLE] * len(chains.antigen)
    parts = [_merged_part(atoms, name, part) for name, part in zip(wanted, asked, strict=True)]
    for name, part in zip(wanted, parts, strict=True):
        if not len(part.rows):
            raise ModelError(
                "chain_empty", f"{source}: chain {name} has no amino-acid residue with ATOM records", "chains"
            )
    for role, side in (("antibody", slice(0, len(antibody))), ("antigen", slice(len(antibody), None))):
        _refuse_unusable(atoms, parts[side], f"{source}: the {role} ({', '.join(wanted[side])})")

    lengths = [len(part.sequence) for part in parts]
    offsets = np.cumsum([0, *lengths[:-1]])
    rows = np.concatenate([part.rows for part in parts])
    residue = np.concatenate([part.position + offset for part, offset in zip(parts, offsets, strict=True)])
    antibody_length = sum(lengths[: len(antibody)])
    is_antigen = residue >= antibody_length
    in_file = [np.argsort(part.place) for part in parts]
    merged = ["".join(part.sequence[i] for i in order) for part, order in zip(parts, in_file, strict=True)]
    complex_ = Complex(
        chain=is_antigen.astype(np.uint8),
        residue_number=(residue + 1 - np.where(is_antigen, antibody_length, 0)).astype(np.int32),
        residue=residue.astype(np.int32),
        sequence_place=np.concatenate(
            [order + offset for order, offset in zip(in_file, offsets, strict=True)], dtype=np.int32
        ),
        residue_name=atoms.residue_name[rows],
        atom_name=atoms.atom_name[rows],
        input_chain=np.repeat(np.arange(len(parts), dtype=np.uint16), [len(part.rows) for part in parts]),
        author_number=atoms.author_number[rows],
        is_hydrogen=atoms.is_hydrogen[rows],
        xyz=np.zeros((0, 3)),
        b_factor=np.zeros(0, dtype=np.float32),
        sequences=("".join(merged[: len(antibody)]), "".join(merged[len(antibody) :])),
        heavy=parts[0].sequence,
        light="" if chains.light is None else parts[1].sequence,
        antigen=tuple(part.sequence for part in parts[len(antibody) :]),
        n_dropped_locations=int(np.isin(atoms.dropped, [name.encode() for name in wanted]).sum()),
    )
    for column in (value for value in vars(complex_).values() if isinstance(value, np.ndarray)):
        column.setflags(write=False)  # others will get it, too
    return complex_, rows


def chain_names(atoms: AtomTable) -> list[str]:
    """Chains of a model, in file order."""
    key = "chains"
    if key not in atoms.findings:
        names, first = np.unique(atoms.chain, return_index=True)
        atoms.findings[key] = [name.decode(errors="replace") for name in names[np.argsort(first)].tolist()]
    return list(atoms.findings[key])


def said_of_segments(atoms: AtomTable) -> str:
    """For messages that list the chains of a model: that they are segments, where they are."""
    if atoms.shared_chain is None:
        return ""
    return f" (segments: all amino acids are in chain {atoms.shared_chain}, so state these instead)"


def chain_sequences(atoms: AtomTable) -> dict[str, str]:
    """Sequences, in file order, of the chains that have amino acids with ATOM records."""
    key = "sequences"
    if key not in atoms.findings:
        parts = {name: _merged_part(atoms, name, WHOLE) for name in chain_names(atoms)}
        usable = {name: part.sequence for name, part in parts.items() if len(part.rows) and part.sequence.strip("X")}
        atoms.findings[key] = usable
    return dict(atoms.findings[key])


def chain_atoms(atoms: AtomTable, name: str, part: ResidueRange = WHOLE) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a chain's ATOM atoms, and the place of each one's residue in the chain's (or the part's) sequence."""
    found = _merged_part(atoms, name, part)
    return found.rows, found.residue


def _refuse_unusable(atoms: AtomTable, parts: list["_Part"], who: str) -> None:
    """Refuses what no graph can be made of: residues that all are unknown, or of which none has a backbone."""
    sequence = "".join(part.sequence for part in parts)
    if not sequence.strip("X"):
        names = sorted(
            {name.decode(errors="replace") for part in parts for name in atoms.residue_name[part.rows].tolist()}
        )
        found = f"{who} has {len(sequence)} residues, none of them an amino acid: {', '.join(names[:8])}"
        raise ModelError("unknown_residues", found, "chains")
    atom_names = np.concatenate([atoms.atom_name[part.rows] for part in parts])
    if not ((atom_names == b"CA").any() and (atom_names == b"N").any()):
        raise ModelError("no_backbone", f"{who} has {len(atom_names)} atoms, but no N or no CA among them", "chains")


@dataclass(frozen=True)
class _Part:
    """One chain of the input: its ATOM rows with their residues in merged and in file order, and its sequence in file
    order with the place of each residue in merged order."""

    rows: np.ndarray
    position: np.ndarray
    residue: np.ndarray
    sequence: str
    place: np.ndarray


def _merged_part(atoms: AtomTable, name: str, part: ResidueRange) -> _Part:
    """A HETATM residue belongs to a chain where it is an amino acid; all else (glycans, ligands, ions) does not."""
    rows = np.flatnonzero(atoms.chain == name.encode())
    _, first, index = np.unique(atoms.residue[rows], return_index=True, return_inverse=True)
    names = [n.decode(errors="replace") for n in atoms.residue_name[rows[first]].tolist()]
    hetatm = atoms.is_hetatm[rows[first]].tolist()
    backbone = np.bincount(index[np.isin(atoms.atom_name[rows], (b"N", b"CA", b"C"))], minlength=len(first))
    belongs = np.array(
        [
            not het or (is_amino_acid(n) and (found >= 3 or not is_dialect(n)))
            for n, het, found in zip(names, hetatm, backbone.tolist(), strict=True)
        ],
        dtype=bool,
    )
    if part != WHOLE:
        count = np.cumsum(belongs) - 1
        belongs &= (count >= part.first) & (count < (len(belongs) if part.stop is None else part.stop))
    number = atoms.author_number[rows[first]][belongs]
    place = np.argsort(np.argsort(number)) if len(np.unique(number)) == len(number) else np.arange(len(number))
    sequence = "".join(one_letter(n) for n, inside in zip(names, belongs, strict=True) if inside)

    is_atom = belongs[index] & ~atoms.is_hetatm[rows]
    residue = (np.cumsum(belongs) - 1)[index[is_atom]]
    position = place[residue]
    order = np.argsort(position, kind="stable")
    return _Part(rows[is_atom][order], position[order], residue[order], sequence, place)
