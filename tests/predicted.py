"""Made predictions: the Fv and its antigen with a pLDDT for each atom and aligned errors, as programs write them.

Errors grow with distance, and are the same wherever they are made: random numbers are those of Python's
`random.random`, which stay what they are. ``python tests/predicted.py CASE FOLDER`` writes one, for other programs.
"""

import functools
import json
import math
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from made import fv_lines

from stagea_mpi.antibody.complexes import Chains, ResidueRange

_CIF_COLUMNS = (
    "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id label_entity_id label_seq_id "
    "pdbx_PDB_ins_code Cartn_x Cartn_y Cartn_z occupancy B_iso_or_equiv auth_seq_id auth_asym_id pdbx_PDB_model_num"
).split()

FV = Chains("H", "L", ("A",))
#: Heavy and light domain in one chain, of 112 and 110 residues.
SCFV = Chains("S", "S", ("B", "C"), ResidueRange(0, 112), ResidueRange(112, 222))


@dataclass(frozen=True)
class Atom:
    chain: str
    number: int
    residue: str
    name: str
    xyz: tuple[float, float, float]
    plddt: float

    @property
    def is_modified(self) -> bool:
        return self.residue == "SEP"


@dataclass(frozen=True)
class Prediction:
    """A model's atoms and the errors (Å) of its tokens: residues, and atoms of a modified one."""

    atoms: tuple[Atom, ...]
    pae: list[list[float]]
    chains: Chains

    @functools.cached_property
    def tokens(self) -> list[Atom]:
        """The atom that stands for each token."""
        return [atom for atom in self.atoms if atom.is_modified or atom.name == "CA"]

    def cif(self) -> bytes:
        rows = [
            " ".join(
                (
                    "HETATM" if atom.is_modified else "ATOM", str(k), atom.name[0], atom.name, ".", atom.residue,
                    atom.chain, "1", str(atom.number), "?", *(f"{x:.3f}" for x in atom.xyz), "1.00",
                    f"{atom.plddt:.2f}", str(atom.number), atom.chain, "1",
                )
            )
            for k, atom in enumerate(self.atoms, 1)
        ]  # fmt: skip
        head = ["data_x", "#", "loop_", *(f"_atom_site.{name}" for name in _CIF_COLUMNS)]
        return "\n".join([*head, *rows, "#", ""]).encode()

    def pdb(self) -> bytes:
        rows = [
            f"ATOM  {k:5d}  {atom.name:<3} {atom.residue} {atom.chain}{atom.number:4d}    "
            f"{''.join(f'{x:8.3f}' for x in atom.xyz)}  1.00{atom.plddt:6.2f}          {atom.name[0]:>2}"
            for k, atom in enumerate(self.atoms, 1)
        ]
        return "\n".join([*rows, "END", ""]).encode()

    def alphafold3(self) -> bytes:
        """``confidences.json``, formatted as AlphaFold 3 does."""
        content = {
            "atom_chain_ids": [atom.chain for atom in self.atoms],
            "atom_plddts": [atom.plddt for atom in self.atoms],
            "contact_probs": [[0.5] * len(self.pae)] * len(self.pae),
            "pae": self.pae,
            "token_chain_ids": [atom.chain for atom in self.tokens],
            "token_res_ids": [atom.number for atom in self.tokens],
        }
        lines = [f'  "{key}": {json.dumps(value, separators=(",", ":"))}' for key, value in content.items()]
        return ("{\n" + ",\n".join(lines) + "\n}").encode()

    def colabfold(self) -> bytes:
        """``…_scores_rank_….json``."""
        content = {"plddt": [atom.plddt for atom in self.tokens], "max_pae": 31.75, "pae": self.pae, "ptm": 0.5}
        return json.dumps(content).encode()

    def files(self, folder: Path) -> tuple[str, str]:
        """Writes the model and its errors, and gives their names."""
        folder.mkdir(parents=True, exist_ok=True)
        if any(atom.is_modified for atom in self.atoms) or self.chains is SCFV:
            contents = {"m.cif": self.cif(), "m_confidences.json": self.alphafold3()}
        else:
            contents = {"m.pdb": self.pdb(), "m_scores.json": self.colabfold()}
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        model, errors = contents
        return model, errors


def _atoms(rename, move, *, by_residue: bool) -> list[Atom]:
    """Heavy atoms of the Fv; residues are numbered anew in each chain, and each of them, or each atom, has a pLDDT."""
    dice, atoms, numbers, plddt = random.Random(7), [], {}, {}
    for line in fv_lines():
        if line[76:78].strip() == "H" or line[12:16].strip() == "OXT":
            continue
        chain = rename(line[21], int(line[22:26]))
        places = numbers.setdefault(chain, {})
        number = places.setdefault(line[21:27], len(places) + 1)
        xyz = tuple(float(line[k : k + 8]) for k in (30, 38, 46))
        if line[21] == "A":
            xyz = tuple(x + by for x, by in zip(xyz, move, strict=True))
        name = line[12:16].strip()
        own = plddt.setdefault((chain, number, "" if by_residue else name), round(50 + 49 * dice.random(), 2))
        atoms.append(Atom(chain, number, line[17:20], name, xyz, own))
    order = {name: k for k, name in enumerate(numbers)}
    return sorted(atoms, key=lambda atom: (order[atom.chain], atom.number))


def _errors(tokens: list[Atom], decimals: int, slope: float, least: float) -> list[list[float]]:
    """Between chains at least so many Å, and more with each Å of distance."""
    dice = random.Random(11)

    def error(one: Atom, other: Atom) -> float:
        far = slope * math.dist(one.xyz, other.xyz) + least * (one.chain != other.chain)
        return round(min(31.75, 0.3 + dice.random() + far), decimals)

    return [[error(one, other) for other in tokens] for one in tokens]


def _split(chain: str, number: int) -> str:
    return {"H": "S", "L": "S"}.get(chain) or ("B" if number <= 43 else "C")


#: By name: new names of chains, the antigen's way (Å), decimals, slope and least error, the chains.
_CASES = {
    "fv": (lambda chain, number: chain, (0, 0, 0), 2, 0.35, 0.0, FV),
    "few sure residues": (lambda chain, number: chain, (0, 0, 0), 2, 0.8, 4.0, FV),
    "scfv with two antigen chains": (_split, (0, 0, 0), 1, 0.3, 1.0, SCFV),
    "no sure residue": (lambda chain, number: chain, (0, 0, 0), 1, 0.35, 13.0, FV),
    "no contact": (lambda chain, number: chain, (-60, 0, 0), 1, 0.05, 1.0, FV),
}
CASES = tuple(_CASES) + ("modified",)


@functools.cache
def prediction(case: str) -> Prediction:
    """A made prediction by its name, one of `CASES`."""
    made_of = "scfv with two antigen chains" if case == "modified" else case
    rename, move, decimals, slope, least, chains = _CASES[made_of]
    atoms = _atoms(rename, move, by_residue=chains is FV)
    if case == "modified":
        atoms = [Atom(a.chain, a.number, "SEP", a.name, a.xyz, a.plddt) if _is_contact_serine(a) else a for a in atoms]
    tokens = [atom for atom in atoms if atom.is_modified or atom.name == "CA"]
    return Prediction(tuple(atoms), _errors(tokens, decimals, slope, least), chains)


def _is_contact_serine(atom: Atom) -> bool:
    """One of the heavy domain and one of the antigen."""
    return atom.residue == "SER" and (atom.chain, atom.number) in {("S", 54), ("C", 3)}


def places(atoms: tuple[Atom, ...], wanted: str) -> np.ndarray:
    """Of each residue the place of its Cβ (Cα without one) or Cα."""
    found: dict[tuple[str, int], dict[str, tuple[float, float, float]]] = {}
    for atom in atoms:
        found.setdefault((atom.chain, atom.number), {})[atom.name] = atom.xyz
    return np.array([names.get(wanted, names["CA"]) for names in found.values()])


if __name__ == "__main__":
    print(*prediction(sys.argv[1]).files(Path(sys.argv[2])))
