"""Names that programs other than the PDB's give to the 20 amino acids and their atoms, and the standard name of each.

They are put right once, where a model is read, so that sequences, nodes, force field and buried areas see standard
names. What is another molecule stays what it is: a modified residue (SEP, HYP), a D-amino acid, a cap (ACE, NME), and
selenocysteine, which is an amino acid of its own, while MSE is methionine with its sulphur replaced to solve a
structure.
"""

import functools
from collections.abc import Iterable

import numpy as np

#: Heavy atoms behind N, CA, C and O.
SIDE_CHAINS = {
    "ALA": "CB", "ARG": "CB CG CD NE CZ NH1 NH2", "ASN": "CB CG OD1 ND2", "ASP": "CB CG OD1 OD2", "CYS": "CB SG",
    "GLN": "CB CG CD OE1 NE2", "GLU": "CB CG CD OE1 OE2", "GLY": "", "HIS": "CB CG ND1 CD2 CE1 NE2",
    "ILE": "CB CG1 CG2 CD1", "LEU": "CB CG CD1 CD2", "LYS": "CB CG CD CE NZ", "MET": "CB CG SD CE",
    "PHE": "CB CG CD1 CD2 CE1 CE2 CZ", "PRO": "CB CG CD", "SER": "CB OG", "THR": "CB OG1 CG2",
    "TRP": "CB CG CD1 CD2 NE1 CE2 CE3 CZ2 CZ3 CH2", "TYR": "CB CG CD1 CD2 CE1 CE2 CZ OH", "VAL": "CB CG1 CG2",
}  # fmt: skip

#: By source the names of residues that are one of the 20 in some state: protonated, deprotonated, bridged, united-atom.
_RESIDUES = {
    "AMBER (all_amino94.lib to amino19.lib, constant pH)": {
        "HIS": "HID HIE HIP", "CYS": "CYX CYM", "ASP": "ASH AS4", "GLU": "GLH GL4", "LYS": "LYN", "TYR": "TYM",
        "ARG": "ARN",
    },
    "CHARMM (top_all27 and top_all36_prot.rtf, patches as CHARMM-GUI names them)": {
        "HIS": "HSD HSE HSP HSC", "LYS": "LSN", "ASP": "ASPP", "GLU": "GLUP", "CYS": "CYSD", "SER": "SERD",
    },
    "GROMACS (residuetypes.dat, aminoacids.r2b and .rtp of its force fields, specbond.dat)": {
        "HIS": "HISA HISB HISH HISD HISE HISP HIS1 HIS2", "LYS": "LYSH LYSN LYP", "ARG": "ARGN", "ASP": "ASPH ASP1",
        "GLU": "GLUH", "ASN": "ASN1", "GLN": "QLN", "CYS": "CYSH CYS1 CYS2 CYN CYM2", "PHE": "PHEH PHEU",
        "TRP": "TRPH TRPU", "TYR": "TYRH TYRU",
    },
    "Rosetta (residue_types of its database, names of three letters)": {"CYS": "CYD CYZ"},
    "Schrödinger (OPLS templates of Prime and Maestro)": {"CYS": "CYT", "TYR": "TYO", "SER": "SRO", "THR": "THO"},
    "OpenMM (pdbNames.xml)": {"HIS": "HSH HIH"},
    "PDB2PQR and Tinker (neutral and deprotonated states)": {"ARG": "AR0", "LYS": "LYD", "TYR": "TYD"},
    "PDB before 1997 (cis proline)": {"PRO": "CPR"},
    "OpenEye (OEIsStandardProteinResidue)": {"CYS": "CYH"},
    "HADDOCK (protein-allhdg5-4.top)": {"CYS": "CYF"},
    "wwPDB (chemical component MSE; crystallographers' methionine)": {"MET": "MSE"},
}  # fmt: skip
#: AMBER's libraries of termini (all_aminont94.lib, all_aminoct94.lib) put a letter before any of its names.
_TERMINI = "NC"

#: Other names of heavy atoms, by residue: OpenMM's pdbNames.xml, GROMACS' xlateat.dat.
_HEAVY_ATOMS = {
    "ILE": {"CD": "CD1"}, "MET": {"SE": "SD"}, "SER": {"OG1": "OG"}, "THR": {"OG": "OG1", "CG": "CG2"},
    "CYS": {"SG1": "SG"}, "ASN": {"OD": "OD1", "ND": "ND2"}, "GLN": {"OE": "OE1", "NE": "NE2"},
}  # fmt: skip
#: Oxygens of a C-terminus (GROMACS' xlateat.dat, OpenMM's pdbNames.xml): names of O where there is none, and of OXT.
_FIRST_OXYGENS = ("OT1", "O1", "OC1", "OCT1", "OX1", "OXT1", "O11", "1OT", "O'")
_SECOND_OXYGENS = ("OT2", "O2", "OC2", "OCT2", "OX2", "OXT2", "O12", "2OT", "O''", "OT")
#: Atoms of caps that CHARMM's patches (ACE, CT2, CT3) put into the residue that they cap.
_CAPS = ("CAY", "CY", "OY", "NT", "CAT")


def _residue_table() -> dict[str, str]:
    table = {
        name: standard for names in _RESIDUES.values() for standard, others in names.items() for name in others.split()
    }
    ends = {**{name: name for name in (*SIDE_CHAINS, "HYP")}, **table}
    del ends["MSE"]
    return table | {end + name: standard for name, standard in ends.items() for end in _TERMINI}


_STANDARD = _residue_table()


def standard_residue(name: str) -> str:
    """The standard name of a residue, in capital letters; the name itself where it is in no dialect.

    >>> standard_residue("HSD"), standard_residue("NHIE"), standard_residue("Arg"), standard_residue("SEP")
    ('HIS', 'HIS', 'ARG', 'SEP')
    """
    capitals = name.upper()
    return _STANDARD.get(capitals, capitals if capitals in SIDE_CHAINS else name)


def is_dialect(name: str) -> bool:
    """Whether a residue's name is a dialect's alone: another molecule may have it, too (SRO is serotonin)."""
    return name in _STANDARD and name != "MSE"


def is_alias(residue: str, atom: str) -> bool:
    """Whether a dialect calls a heavy atom of an amino acid so."""
    return atom in _HEAVY_ATOMS.get(residue, ())


def is_named(name: str) -> bool:
    """Whether a name is one of the 20 amino acids', as the PDB or as a dialect has it."""
    return name in _STANDARD or name in SIDE_CHAINS


def standard_names(
    residue: np.ndarray, residue_name: np.ndarray, atom_name: np.ndarray, element: np.ndarray, is_hetatm: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard names of residues and atoms.

    A residue under a dialect's name is put right where its heavy atoms are those of the amino acid: HIP is histidine,
    and phosphohistidine where it has a phosphorus. Its records count as ATOM then, since OpenMM and others write
    HETATM for every name that is not of the 20. MSE, as HETATM, stays.

    Parameters
    ----------
    residue : ndarray of int, shape=(n,)
        Index of each atom's residue, ascending.
    residue_name, atom_name : ndarray of bytes, shape=(n,)
        Of 8 bytes each.
    element : ndarray of bytes, shape=(n,)
    is_hetatm : ndarray of bool, shape=(n,)

    Returns
    -------
    residue_name, atom_name : ndarray of bytes, shape=(n,)
    is_hetatm : ndarray of bool, shape=(n,)
    """
    residue_name, is_hetatm = _standard_residues(residue, residue_name, atom_name, is_hetatm)
    return residue_name, _standard_atoms(residue, residue_name, atom_name, element), is_hetatm


def _standard_residues(
    residue: np.ndarray, residue_name: np.ndarray, atom_name: np.ndarray, is_hetatm: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    first = np.flatnonzero(np.diff(residue, prepend=-1))
    texts = {name: name.decode(errors="replace") for name in set(residue_name[first].tolist())}
    found = [name for name, text in texts.items() if standard_residue(text) != text]
    if not found:
        return residue_name, is_hetatm
    renamed, is_hetatm = residue_name.copy(), is_hetatm.copy()
    for name in found:
        standard = standard_residue(texts[name])
        rows = np.flatnonzero((residue_name == name) & ~(is_hetatm & (name == b"MSE")))
        if standard in SIDE_CHAINS:
            is_other = np.array([_is_foreign(standard, atom) for atom in atom_name[rows].tolist()], dtype=bool)
            rows = rows[~np.isin(residue[rows], residue[rows][is_other])]
            if texts[name].upper() in _STANDARD:
                is_hetatm[rows] = False
        renamed[rows] = standard.encode()
    return renamed, is_hetatm


@functools.cache
def _is_foreign(residue: str, atom: bytes) -> bool:
    """Whether a heavy atom is none of the amino acid's, nor of its termini and caps."""
    known = {"N", "CA", "C", "O", "OXT", *SIDE_CHAINS[residue].split(), *_HEAVY_ATOMS.get(residue, ())}
    known |= {*_FIRST_OXYGENS, *_SECOND_OXYGENS, *_CAPS}
    return atom[:1] in (b"C", b"N", b"O", b"P", b"S") and atom.decode(errors="replace") not in known


def _standard_atoms(
    residue: np.ndarray, residue_name: np.ndarray, atom_name: np.ndarray, element: np.ndarray
) -> np.ndarray:
    names, residue_name = np.array(atom_name, dtype="S8"), np.asarray(residue_name, dtype="S8")
    first = names.view(np.uint8).reshape(-1, 8)[:, 0]
    may_be_hydrogen = (first >= ord("0")) & (first <= ord("9")) | (first == ord("D"))
    rows = np.flatnonzero(may_be_hydrogen)
    # As integers, here and below: comparing strings would cost every model a tenth of its reading.
    is_amino_acid = np.isin(residue_name[rows].view(np.uint64), _AMINO_ACIDS)
    kind = is_amino_acid.astype(np.uint64) + 2 * np.isin(element[rows], (b"D", b"H")).astype(np.uint64)
    kinds, which = np.unique(names[rows].view(np.uint64) | kind << np.uint64(56), return_inverse=True)
    names[rows] = np.array([_hydrogen(key) for key in kinds.tolist()], dtype="S8")[which]
    rows = np.flatnonzero(np.isin(names.view(np.uint64), _ALIASES))
    atom, of = names[rows].view(np.uint64), residue_name[rows].view(np.uint64)
    for standard, other, name in _HEAVY_ALIASES:
        wanted = rows[(atom == other) & (of == standard)]
        if len(wanted):
            names[wanted[~np.isin(residue[wanted], residue[names == name])]] = name
    ends = rows[np.isin(atom, _OXYGENS)]
    for end in set(residue[ends[np.isin(residue_name[ends].view(np.uint64), _AMINO_ACIDS)]].tolist()):
        _name_end(names, np.flatnonzero(residue == end))
    return names


def _name_end(names: np.ndarray, rows: np.ndarray) -> None:
    """Names the oxygens of a C-terminus O and OXT."""
    atoms = {names[row].decode(errors="replace"): row for row in rows.tolist()}
    if "C" not in atoms:
        return
    first = (*_FIRST_OXYGENS, "OT") if "OXT" in atoms else _FIRST_OXYGENS
    for name, others in (("O", first), ("OXT", _SECOND_OXYGENS)):
        other = next((other for other in others if other in atoms), None)
        if name not in atoms and other is not None:
            names[rows[names[rows] == other.encode()]] = name.encode()


@functools.cache
def _hydrogen(key: int) -> bytes:
    """A hydrogen's name with H and then its number: 1HB is HB1, 2HG1 is HG12, DB2 is HB2.

    The key is the name's first seven letters, with 1 in the eighth's place for an atom of an amino acid, 2 for one
    whose element is deuterium, 3 for both.
    """
    *letters, kind = key.to_bytes(8, "little")
    name, is_of_amino_acid, is_deuterium = bytes(letters).rstrip(b"\0"), bool(kind & 1), bool(kind & 2)
    rest = name.lstrip(b"0123456789")
    number = name[: len(name) - len(rest)]
    # DC, DN, … without an element are the oscillators that a polarisable force field puts beside heavy atoms.
    may_be = is_of_amino_acid and rest[1:2] not in (b"C", b"N", b"O", b"S")
    if rest.startswith(b"D") and (is_deuterium or may_be):
        rest = b"H" + rest[1:]
    return rest + number if rest.startswith(b"H") else name


def _as_integers(names: Iterable[str]) -> np.ndarray:
    return np.array(list(names), dtype="S8").view(np.uint64)


_AMINO_ACIDS = _as_integers(SIDE_CHAINS)
_OXYGENS = _as_integers([*_FIRST_OXYGENS, *_SECOND_OXYGENS])
#: Residue and atom as integers, and the atom's standard name.
_HEAVY_ALIASES = [
    (*_as_integers([residue, other]).tolist(), name.encode())
    for residue, others in _HEAVY_ATOMS.items()
    for other, name in others.items()
]
_ALIASES = np.unique([*_OXYGENS.tolist(), *(other for _, other, _ in _HEAVY_ALIASES)]).astype(np.uint64)
