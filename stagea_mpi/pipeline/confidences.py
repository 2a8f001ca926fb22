"""What a predictor says of one model, and what follows from it where the model binds: by the names of columns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..antibody.complexes import Chains, Complex, chain_names, merged_rows
from ..errors import ModelError
from ..graph.confidence import (
    AlignedErrors,
    chain_pair_iptm,
    h3_plddt,
    interface_pae,
    interface_plddt,
    ipsae,
    lis,
    pdockq2,
    residue_plddt,
)
from ..graph.interface_graph import GraphArrays
from ..inputs import AtomTable
from ..inputs.layouts.layout import Pae, Scores
from ..structure.residues import RESIDUE_TYPES, UNKNOWN, encode, is_amino_acid

#: Columns that every predicted model has; the program's own, `score_…`, come behind them.
COLUMNS = (
    "ptm", "iptm", "ranking_score", "interface_plddt", "interface_pae", "h3_plddt", "pdockq2", "ipsae", "lis",
    "score_chain_pair_iptm",
)  # fmt: skip

#: Residues that are one token each, of whatever atoms: amino acids, nucleotides, and unknown ones of either.
_ONE_TOKEN = frozenset([*RESIDUE_TYPES, *"UNK A C G U N DA DC DG DT DN".split()])
_NO_CODE = ord(" ")  # of insertion, in `AtomTable.author_number`


class _MismatchError(Exception):
    """Tokens and residues do not go together; says how many there are of each."""


def confidences_of(
    scores: Scores,
    has_plddt: bool,
    atoms: AtomTable,
    chains: Chains,
    complex_: Complex,
    graph: GraphArrays | None,
    region: np.ndarray,
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Confidences of one model.

    Scores of pairs of chains are those of the model's own chains: an antibody in one chain (scFv) is one, an antigen of
    several chains several.

    Parameters
    ----------
    scores : Scores
        What the program says.
    has_plddt : bool
        Whether B factors are pLDDT, 0 to 100.
    atoms : AtomTable
    chains : Chains
        Which chains are what.
    complex_ : Complex
        These, merged.
    graph : GraphArrays or None
        Its graph, where it has one.
    region : ndarray of uint8, shape=(length of chain A's sequence,)

    Returns
    -------
    values : dict of str to float
        By column: `COLUMNS` and the program's own. NaN where it cannot be known.
    problems : tuple of str
        What could not be read, and why a score is missing that its files should give.
    """
    values = dict.fromkeys(COLUMNS, math.nan) | dict(scores.values)
    problems = list(scores.problems)
    nodes = None if graph is None else graph.serial - 1
    if has_plddt:
        wrong = _not_plddt(complex_.b_factor)
        if wrong:
            has_plddt = False
            problems.append(wrong)
    if has_plddt:
        means = residue_plddt(
            complex_.residue, complex_.is_hydrogen, complex_.b_factor, sum(len(part) for part in complex_.sequences)
        )
        values["h3_plddt"] = h3_plddt(means[: len(region)], region)
        if nodes is not None:
            values["interface_plddt"] = interface_plddt(means, complex_.residue[nodes])
    try:
        if scores.pair_iptm is not None:
            values["score_chain_pair_iptm"] = _pair_iptm(scores.pair_iptm, scores.pair_chains, atoms, chains)
    except _MismatchError as found:
        problems.append(str(found))
    if scores.pae is not None:
        try:
            values |= _from_pae(scores.pae, has_plddt, atoms, chains, graph)
        except ModelError as failure:
            problems.append(str(failure))
        except _MismatchError as found:
            problems.append(f"{scores.pae.path}: {found}")
    return values, tuple(problems)


def _not_plddt(b_factor: np.ndarray) -> str:
    """What tells that B factors are no pLDDT; empty where they may be."""
    if not np.isfinite(b_factor).all():
        return "B factors are not all numbers, expected pLDDT of 0 to 100"
    least, most = float(b_factor.min()), float(b_factor.max())  # hydrogens have their residue's, or none are there
    if least == most:
        return f"B factors of all atoms are {most:g}, so that they are no pLDDT"
    if least < 0.0 or most > 100.0 or most <= 1.0:
        return f"B factors are {least:g} to {most:g}, expected pLDDT of 0 to 100"
    return ""


def _sides(chains: Chains) -> tuple[list[str], list[str]]:
    """Chains of the antibody and of the antigen, each once."""
    antibody = [chains.heavy, *([chains.light] if chains.light is not None else [])]
    return list(dict.fromkeys(antibody)), list(dict.fromkeys(chains.antigen))


def _pair_iptm(iptm: np.ndarray, names: Sequence[str], atoms: AtomTable, chains: Chains) -> float:
    present = list(names) or chain_names(atoms)
    if len(present) != len(iptm):
        raise _MismatchError(f"ipTM is of {len(iptm)} chains, the model has {len(present)}: {', '.join(present)}")
    antibody, antigen = _sides(chains)
    missing = [name for name in antibody + antigen if name not in present]
    if missing:
        raise _MismatchError(f"ipTM is of the chains {', '.join(present)}, without {', '.join(missing)}")
    first, second = (np.array([present.index(name) for name in side]) for side in (antibody, antigen))
    return chain_pair_iptm(iptm, first, second)


@dataclass(frozen=True)
class _Residues:
    """Residues of one side that have a Cα, in the file's order.

    Attributes
    ----------
    chain : ndarray of int, shape=(n,)
        Position in `names`.
    ca, cb : ndarray of int, shape=(n,)
        Rows of the Cα and of the Cβ; without one that of the Cα.
    names : tuple of str
    """

    chain: np.ndarray
    ca: np.ndarray
    cb: np.ndarray
    names: tuple[str, ...]

    def of(self, rows: np.ndarray) -> "_Residues":
        return _Residues(self.chain[rows], self.ca[rows], self.cb[rows], self.names)


def _side_residues(atoms: AtomTable, chains: Chains) -> list[_Residues]:
    atom = encode(atoms.atom_name, ("CA", "CB"))
    ca, with_cb = np.flatnonzero(atom == 0), np.flatnonzero(atom == 1)
    is_amino = encode(atoms.residue_name[ca], RESIDUE_TYPES) != UNKNOWN
    for other in np.flatnonzero(~is_amino):  # a modified residue, or calcium
        is_amino[other] = is_amino_acid(atoms.residue_name[ca[other]].decode(errors="replace"))
    ca = ca[is_amino]
    ca = ca[np.diff(atoms.residue[ca], prepend=-1) > 0]
    row_of = np.full(int(atoms.residue[-1]) + 1, -1)
    row_of[atoms.residue[with_cb]] = with_cb
    cb = row_of[atoms.residue[ca]]
    cb = np.where(cb < 0, ca, cb)
    return [_in_chains(atoms, names, ca, cb) for names in _sides(chains)]


def _in_chains(atoms: AtomTable, names: list[str], ca: np.ndarray, cb: np.ndarray) -> _Residues:
    code = np.full(len(ca), -1)
    for position, name in enumerate(names):
        code[atoms.chain[ca] == name.encode()] = position
    return _Residues(code, ca, cb, tuple(names)).of(np.flatnonzero(code >= 0))


def _from_pae(
    pae: Pae, has_plddt: bool, atoms: AtomTable, chains: Chains, graph: GraphArrays | None
) -> dict[str, float]:
    """Scores that come of aligned errors."""
    (first, second), tokens = _aligned_sides(pae, atoms, chains)
    errors = AlignedErrors(*pae.read(*tokens), first.chain, second.chain)
    values = {"ipsae": ipsae(errors), "lis": lis(errors)}
    if has_plddt:
        cb = first.cb, second.cb
        values["pdockq2"] = pdockq2(errors, *(atoms.xyz[rows] for rows in cb), *(atoms.b_factor[rows] for rows in cb))
    if graph is not None:
        rows = merged_rows(atoms, chains, graph.name)[graph.serial - 1]
        pairs = np.stack(
            [
                _place_of(atoms, side)[atoms.residue[rows[graph.interface.nodes[:, k]]]]
                for k, side in enumerate((first, second))
            ],
            axis=1,
        )
        values["interface_pae"] = interface_pae(errors, pairs[(pairs >= 0).all(axis=1)])
    return values


def _place_of(atoms: AtomTable, side: _Residues) -> np.ndarray:
    """By the model's residues the place of each among those of a side, -1 where it is not among them."""
    place = np.full(int(atoms.residue[-1]) + 1, -1)
    place[atoms.residue[side.ca]] = np.arange(len(side.ca))
    return place


def _aligned_sides(
    pae: Pae, atoms: AtomTable, chains: Chains
) -> tuple[tuple[_Residues, _Residues], tuple[np.ndarray, np.ndarray]]:
    """Residues of both sides in the order of their tokens, and these. Samples of one target mostly have the same."""
    key = "aligned sides", chains, pae.n_tokens
    known = atoms.findings.get(key)
    if known is None or known[0] is not pae.chain or known[1] is not pae.number:
        known = atoms.findings[key] = pae.chain, pae.number, _side_by_side(pae, atoms, chains)
    found: tuple[tuple[_Residues, _Residues], tuple[np.ndarray, np.ndarray]] = known[2]
    return found


def _side_by_side(
    pae: Pae, atoms: AtomTable, chains: Chains
) -> tuple[tuple[_Residues, _Residues], tuple[np.ndarray, np.ndarray]]:
    sides, tokens = [], []
    for side in _side_residues(atoms, chains):
        found = _tokens(pae, atoms, side)
        order = np.argsort(found)
        sides.append(side.of(order))
        tokens.append(found[order])
    if any((np.diff(found) == 0).any() for found in tokens):
        raise _MismatchError("PAE: two residues of a chain have one number, so that their tokens cannot be told apart")
    return (sides[0], sides[1]), (tokens[0], tokens[1])


def _tokens(pae: Pae, atoms: AtomTable, side: _Residues) -> np.ndarray:
    """The token of each residue of a side; of a modified one, which has a token for each atom, its Cα's."""
    if pae.chain is None or pae.number is None:
        return _tokens_in_order(pae.n_tokens, atoms)[side.ca]
    tokens = np.empty(len(side.ca), dtype=np.int64)
    for position, name in enumerate(side.names):
        own = np.flatnonzero(side.chain == position)
        tokens[own] = _tokens_of_chain(pae.chain, pae.number, atoms, side.ca[own], name)
    return tokens


def _tokens_in_order(n_tokens: int, atoms: AtomTable) -> np.ndarray:
    """The token of each atom, as tokens follow the model's residues and atoms."""
    names = atoms.residue_name[np.flatnonzero(np.diff(atoms.residue, prepend=-1))].tolist()
    is_one = np.array([name.decode(errors="replace") in _ONE_TOKEN for name in names], dtype=bool)[atoms.residue]
    begins = np.diff(atoms.residue, prepend=-1) > 0
    token: np.ndarray = np.cumsum(np.where(is_one, begins, ~atoms.is_hydrogen)) - 1
    if token[-1] + 1 != n_tokens:
        raise _MismatchError(
            f"PAE is of {n_tokens} tokens, the model has {token[-1] + 1}: a token is an amino acid or nucleotide, or a "
            "heavy atom of anything else"
        )
    return token


def _tokens_of_chain(chain: np.ndarray, number: np.ndarray, atoms: AtomTable, ca: np.ndarray, name: str) -> np.ndarray:
    """The token of each residue of a chain, by its number."""
    own = np.flatnonzero(chain == name.encode())
    numbers, first, n_tokens = np.unique(number[own], return_index=True, return_counts=True)
    if len(numbers) != len(ca):
        raise _MismatchError(f"PAE has tokens of {len(numbers)} residues in chain {name}, the model {len(ca)} residues")
    place = np.searchsorted(numbers * 256 + _NO_CODE, atoms.author_number[ca])
    if (place == len(numbers)).any() or (numbers[place] * 256 + _NO_CODE != atoms.author_number[ca]).any():
        span = f"{numbers[0]} to {numbers[-1]}"
        raise _MismatchError(f"PAE has tokens of residues {span} in chain {name}, the model's have other numbers")
    tokens = own[first[place]]
    for modified in np.flatnonzero(n_tokens[place] > 1):
        tokens[modified] += _heavy_atoms_before(atoms, ca[modified], int(n_tokens[place[modified]]), name)
    return tokens


def _heavy_atoms_before(atoms: AtomTable, ca: int, n_tokens: int, chain: str) -> int:
    """How many heavy atoms of its residue stand before a Cα."""
    rows = np.flatnonzero((atoms.residue == atoms.residue[ca]) & ~atoms.is_hydrogen)
    if len(rows) != n_tokens:
        raise _MismatchError(
            f"PAE has {n_tokens} tokens of residue {int(atoms.author_number[ca]) >> 8} in chain {chain}, the model "
            f"{len(rows)} heavy atoms"
        )
    return int(np.searchsorted(rows, ca))
