"""A model as a file of its own, PDB or mmCIF, with values in the place of its B factors."""

import re

import gemmi
import numpy as np

from ..inputs import AtomTable

#: What PDB has columns for.
_MOST_ATOMS, _LEAST_NUMBER, _MOST_NUMBER = 99_999, -999, 9_999
_LEAST_VALUE, _MOST_VALUE = -99.99, 999.99
_PDB_LINE_ATOM_NAME = 4
#: What of mmCIF is written.
_GROUPS = ("atoms", "group_pdb", "entry", "entity", "entity_poly", "entity_poly_seq", "struct_asym")
_ODD = re.compile(r"[^A-Za-z0-9_]")


def chain_names(chains: list[str]) -> dict[str, str]:
    """Names that scripts can select chains by, by those of the structure: its own unless there is another character in
    one than letters of ASCII, digits and ``_``, as in ``A-2``.

    >>> chain_names(["H", "A-2", "A_2", "A-2"])
    {'H': 'H', 'A-2': 'A_2_', 'A_2': 'A_2'}
    """
    names = {name: name for name in dict.fromkeys(chains) if name and not _ODD.search(name)}
    for name in dict.fromkeys(chains):
        if name in names:
            continue
        plain = _ODD.sub("_", name) or "_"
        while plain in names.values():
            plain += "_"
        names[name] = plain
    return {name: names[name] for name in dict.fromkeys(chains)}


def structure_of(atoms: AtomTable, name: str, values: np.ndarray | None = None) -> gemmi.Structure:
    """A model as gemmi holds it: atoms in the order of the table, chains under `chain_names`.

    Parameters
    ----------
    atoms : AtomTable
    name : str
    values : ndarray of float64, shape=(n,), optional
        Of the atoms, instead of their B factors; 0 where one is NaN.
    """
    structure = gemmi.Structure()
    structure.name = structure.info["_entry.id"] = name
    model = structure.add_model(gemmi.Model(1))
    chain_of_row = [chain.decode(errors="replace") for chain in atoms.chain.tolist()]
    written = chain_names(chain_of_row)
    numbers = np.nan_to_num(atoms.b_factor if values is None else values)
    _, first = np.unique(atoms.residue, return_index=True)
    own = None
    for start, stop in zip(first.tolist(), [*first.tolist()[1:], len(atoms.xyz)], strict=True):
        if chain_of_row[start] != own:
            own = chain_of_row[start]
            chain = model.add_chain(gemmi.Chain(written[own]))
        number, code = divmod(int(atoms.author_number[start]), 256)
        residue = gemmi.Residue()
        residue.name = atoms.residue_name[start].decode(errors="replace")
        residue.seqid = gemmi.SeqId(number, chr(code) if code else " ")
        residue.het_flag = "H" if atoms.is_hetatm[start] else "A"
        for row in range(start, stop):
            atom = gemmi.Atom()
            atom.name = atoms.atom_name[row].decode(errors="replace")
            atom.element = gemmi.Element(atoms.element[row].decode(errors="replace"))
            atom.pos = gemmi.Position(*atoms.xyz[row].tolist())
            atom.serial, atom.occ, atom.b_iso = row + 1, 1.0, float(numbers[row])
            residue.add_atom(atom)
        chain.add_residue(residue)
    structure.merge_chain_parts()
    structure.setup_entities()
    return structure


def fits_pdb(atoms: AtomTable, values: np.ndarray | None = None) -> bool:
    """Whether PDB's columns take the model: names, numbers and values may be too long for them."""
    number = atoms.author_number // 256
    numbers = np.nan_to_num(atoms.b_factor if values is None else values)
    return bool(
        len(atoms.xyz) <= _MOST_ATOMS
        and all(len(name) == 1 for name in chain_names(_texts(np.unique(atoms.chain))).values())
        and all(len(name) <= 3 for name in np.unique(atoms.residue_name).tolist())
        and all(len(name) <= _PDB_LINE_ATOM_NAME for name in np.unique(atoms.atom_name).tolist())
        and ((number >= _LEAST_NUMBER) & (number <= _MOST_NUMBER)).all()
        and ((numbers > _LEAST_VALUE) & (numbers < _MOST_VALUE)).all()
    )


def structure_text(atoms: AtomTable, name: str, values: np.ndarray | None = None) -> tuple[str, str]:
    """A model's text and its ending: ``.pdb``, or ``.cif`` where PDB's columns do not take it (`fits_pdb`).

    Parameters are those of `structure_of`.
    """
    structure = structure_of(atoms, name, values)
    if fits_pdb(atoms, values):
        options = gemmi.PdbWriteOptions(minimal=True, cryst1_record=False, end_record=True)
        return structure.make_pdb_string(options), ".pdb"
    _number_along_sequences(structure)
    document = structure.make_mmcif_document(gemmi.MmcifOutputGroups(False, **dict.fromkeys(_GROUPS, True)))
    document[0].name = name
    return document.as_string(), ".cif"


def _number_along_sequences(structure: gemmi.Structure) -> None:
    """Gives polymers a sequence and each residue its place in it: by these programs know what is bonded in mmCIF."""
    for entity in structure.entities:
        if entity.entity_type == gemmi.EntityType.Polymer:
            entity.full_sequence = [residue.name for residue in structure[0].get_subchain(entity.subchains[0])]
    for span in structure[0].subchains():
        entity = structure.get_entity_of(span)
        if entity is not None and entity.entity_type == gemmi.EntityType.Polymer:
            for k, residue in enumerate(span, 1):
                residue.label_seq = k


def _texts(names: np.ndarray) -> list[str]:
    return [name.decode(errors="replace") for name in names.tolist()]
