"""Input files: which there are, which models they hold, and one model's atoms as arrays.

A file is PDB or mmCIF, plain or gzipped, with one model or an ensemble. Models of a PDB ensemble are found by the byte
offsets of their MODEL lines, so that ranks can share a large ensemble and a broken model costs only itself.
"""

import contextlib
import functools
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np

from .errors import ConfigError, ModelError
from .residues import is_water

_PDB_SUFFIXES = (".pdb", ".ent")
_MMCIF_SUFFIXES = (".cif", ".mmcif")
_MODEL_LINE = re.compile(rb"MODEL\s+(-?\d+)")
_FROM_LINE = re.compile(rb"REMARK.*\bMODEL\s+(\d+)\s+FROM\s+(\S+)")


@dataclass(frozen=True)
class ModelRef:
    """Where one model is to be found.

    Attributes
    ----------
    path : str
        The input file.
    name : str
        The model's name, its key everywhere downstream.
    serial : int or None
        Its number in an ensemble, None in a file of one model.
    start, stop : int
        Bytes of the model in the (unpacked) PDB file; 0, 0 for an mmCIF file or a file of one model.
    """

    path: str
    name: str
    serial: int | None = None
    start: int = 0
    stop: int = 0


@dataclass(frozen=True)
class AtomTable:
    """Atoms of one model in file order, as read: one alternative location each.

    Attributes
    ----------
    chain, residue_name, atom_name : ndarray of bytes, shape=(n,)
    residue : ndarray of int32, shape=(n,)
        Index of the atom's residue, counted from 0 through the model.
    author_number : ndarray of int64, shape=(n,)
        The residue's number and insertion code as one integer that sorts as they do.
    is_hetatm, is_hydrogen : ndarray of bool, shape=(n,)
    xyz : ndarray of float64, shape=(n, 3)
        Å, rounded to the three decimals of the PDB format.
    """

    chain: np.ndarray
    residue_name: np.ndarray
    atom_name: np.ndarray
    residue: np.ndarray
    author_number: np.ndarray
    is_hetatm: np.ndarray
    is_hydrogen: np.ndarray
    xyz: np.ndarray


def discover(root: str | Path, patterns: Iterable[str]) -> list[Path]:
    """Input files below a folder.

    Parameters
    ----------
    root : path
        The input folder.
    patterns : iterable of str
        Glob patterns relative to it, such as ``**/*.pdb``.

    Returns
    -------
    files : list of Path
        Sorted, each once.

    Raises
    ------
    ConfigError
        The folder is missing, or nothing in it matches.
    """
    root, patterns = Path(root), list(patterns)
    if not root.is_dir():
        raise ConfigError(f"pdb_root: {root} is not a folder; set it to the folder with the docking models")
    files = sorted({path for pattern in patterns for path in root.glob(pattern) if path.is_file()})
    if not files:
        suffixes = sorted({"".join(path.suffixes[-2:]) for path, _ in zip(root.rglob("*.*"), range(10_000), strict=False)})
        raise ConfigError(
            f"stage_a.glob: no file below {root} matches {', '.join(patterns)}; "
            f"there are files with the endings {', '.join(suffixes[:12]) or '(none)'}"
        )
    return files


def stem(path: str | Path) -> str:
    """The file's name without .gz and without the format's suffix.

    >>> stem("poses/pose.1.pdb.gz")
    'pose.1'
    """
    name = Path(path).name.removesuffix(".gz")
    for suffix in _PDB_SUFFIXES + _MMCIF_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


@dataclass(frozen=True)
class FileListing:
    """What a file holds, found without parsing its atoms where the format allows it.

    Attributes
    ----------
    models : list of ModelRef
    digest : str
        SHA-256 of the file's (unpacked) bytes.
    """

    models: list[ModelRef]
    digest: str


def list_models(path: str, name: str | None = None) -> FileListing:
    """Models that a file holds.

    Parameters
    ----------
    path : str
    name : str, optional
        What the file's models are named after instead of its stem.

    Raises
    ------
    ModelError
        ``unreadable`` or ``no_models``.
    """
    base = name or stem(path)
    with _readable(path):
        if _is_mmcif(path):
            content = _unpacked(path)
            serials = [model.num for model in _mmcif_structure(content)]
            models = [ModelRef(path, f"{base}_model_{n}", n) for n in serials] if len(serials) > 1 else [ModelRef(path, base)]
            return FileListing(models, hashlib.sha256(content).hexdigest())
        return _list_pdb(path, base)


def _list_pdb(path: str, base: str) -> FileListing:
    digest, offset, has_atoms = hashlib.sha256(), 0, False
    names: dict[int, str] = {}
    spans: list[list[int]] = []  # serial, first byte, byte behind the last
    with _open(path) as lines:
        for line in lines:
            digest.update(line)
            if line.startswith((b"ATOM  ", b"HETATM")):
                has_atoms = True
            elif line.startswith(b"MODEL "):
                serial = _MODEL_LINE.match(line)
                spans.append([int(serial[1]) if serial else len(spans) + 1, offset + len(line), 0])
            elif line.startswith(b"ENDMDL") and spans:
                spans[-1][2] = spans[-1][2] or offset
            elif line.startswith(b"REMARK") and (origin := _FROM_LINE.match(line)):
                names[int(origin[1])] = Path(origin[2].decode(errors="replace")).name.removesuffix(".pdb")
            offset += len(line)
    if not has_atoms:
        raise ModelError("no_models", f"{path}: no ATOM or HETATM line in {offset} bytes", "read")
    if len(spans) < 2:
        return FileListing([ModelRef(path, base)], digest.hexdigest())
    ends = [start for _, start, _ in spans[1:]] + [offset]
    models = [
        ModelRef(path, names.get(serial) or f"{base}_model_{serial}", serial, start, stop or end)
        for (serial, start, stop), end in zip(spans, ends, strict=True)
    ]
    return FileListing(models, digest.hexdigest())


def read_model(ref: ModelRef) -> AtomTable:
    """Atoms of one model: waters left out, of alternative locations the most occupied one (A on a tie).

    Raises
    ------
    ModelError
        ``unreadable``, ``no_models`` or ``bad_coordinates``.
    """
    with _readable(ref.path):
        flat = gemmi.FlatStructure(_mmcif_model(ref) if _is_mmcif(ref.path) else _pdb_model(ref))
    table = _as_table(flat)
    if not len(table.xyz):
        raise ModelError("no_models", f"{ref.path}: model {ref.serial or 1} holds no atoms", "read")
    finite = np.isfinite(table.xyz).all(axis=1)
    if not finite.all():
        atom = int(np.argmin(finite))
        raise ModelError("bad_coordinates", f"{ref.path}: atom {atom + 1} has the coordinates {table.xyz[atom]}", "read")
    return table


@contextlib.contextmanager
def _readable(path: str):
    """Turns what a damaged file makes the readers raise into a failure of its models."""
    try:
        yield
    except (RuntimeError, ValueError, EOFError, OSError, zlib.error) as error:
        message = " ".join(str(error).split())
        raise ModelError("unreadable", f"{path}: {message}", "read") from error


def _is_mmcif(path: str) -> bool:
    return path.lower().removesuffix(".gz").endswith(_MMCIF_SUFFIXES)


def _open(path: str):
    return gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")


@functools.lru_cache(maxsize=1)
def _unpacked(path: str) -> bytes:
    """A whole file; the last one is kept, since models of an ensemble are often read one after the other."""
    with _open(path) as file:
        return file.read()


def _mmcif_structure(content: bytes) -> gemmi.Structure:
    return gemmi.make_structure_from_block(gemmi.cif.read_string(content).sole_block())


def _mmcif_model(ref: ModelRef) -> gemmi.Structure:
    structure = _mmcif_structure(_unpacked(ref.path))
    return _keep_model(structure, structure[0].num if ref.serial is None else ref.serial)


def _pdb_model(ref: ModelRef) -> gemmi.Structure:
    if not ref.stop:
        content = _unpacked(ref.path)
    elif ref.path.endswith(".gz"):
        content = _unpacked(ref.path)[ref.start : ref.stop]
    else:
        with open(ref.path, "rb") as file:
            file.seek(ref.start)
            content = file.read(ref.stop - ref.start)
    try:
        return gemmi.read_pdb_string(content)
    except RuntimeError:
        # Files from before 1996 have an identifier where the element and the charge should be.
        return gemmi.read_pdb_string(b"\n".join(line[:66] for line in content.splitlines()))


def _keep_model(structure: gemmi.Structure, serial: int) -> gemmi.Structure:
    for i in reversed(range(len(structure))):
        if structure[i].num != serial:
            del structure[i]
    return structure


def _as_table(flat: gemmi.FlatStructure) -> AtomTable:
    chain, residue_name, atom_name = (_as_bytes(a) for a in (flat.chain_ids, flat.residue_names, flat.atom_names))
    author_number = np.asarray(flat.resnums).astype(np.int64) * 256 + np.asarray(flat.icodes)
    site_starts = _changes(chain, author_number)
    residue = np.cumsum(site_starts | _changes(residue_name))
    altloc = np.asarray(flat.altlocs)
    keep = ~np.isin(residue_name, [name for name in np.unique(residue_name) if is_water(name.decode())])
    if altloc.any():
        keep &= _preferred_locations(np.cumsum(site_starts), residue, atom_name, altloc, np.asarray(flat.occ))
    return AtomTable(
        chain=chain[keep],
        residue_name=residue_name[keep],
        atom_name=atom_name[keep],
        residue=(np.cumsum(_changes(residue[keep])) - 1).astype(np.int32),
        author_number=author_number[keep],
        is_hetatm=np.asarray(flat.het_flags)[keep] == ord("H"),
        is_hydrogen=np.isin(np.asarray(flat.element_names)[keep], (b"H", b"D")) | np.char.startswith(atom_name[keep], b"H"),
        xyz=np.round(np.asarray(flat.pos)[keep], 3),
    )


def _preferred_locations(site, residue, atom_name, altloc, occupancy) -> np.ndarray:
    """Which atoms stay: one location an atom, and one residue where a site is described as either of two.

    Parameters
    ----------
    site, residue : ndarray of int, shape=(n,)
        Index of the (chain, number, insertion code) and of the residue; a site holds several residues where the
        sequence itself is ambiguous.
    atom_name : ndarray of bytes, shape=(n,)
    altloc : ndarray of int8, shape=(n,)
        Character code of the location, 0 for none.
    occupancy : ndarray of float, shape=(n,)

    Returns
    -------
    keep : ndarray of bool, shape=(n,)
    """
    best_first = np.lexsort((altloc, -occupancy, site))
    _, first = np.unique(site[best_first], return_index=True)
    chosen = residue[best_first[first]]
    ambiguous = np.zeros(site.max() + 1, dtype=bool)
    ambiguous[site[altloc != 0]] = True
    residue_of_site = np.zeros(site.max() + 1, dtype=residue.dtype)
    residue_of_site[np.unique(site)] = chosen
    keep = ~ambiguous[site] | (residue == residue_of_site[site])

    best_first = np.lexsort((altloc, -occupancy, atom_name, residue))
    first_of_atom = _changes(residue[best_first], atom_name[best_first])
    is_best = np.zeros(len(site), dtype=bool)
    is_best[best_first[first_of_atom]] = True
    return keep & (is_best | (altloc == 0))


def _changes(*columns: np.ndarray) -> np.ndarray:
    """True where a row differs in any column from the row before; True in the first row."""
    change = np.zeros(len(columns[0]), dtype=bool)
    change[:1] = True
    for column in columns:
        change[1:] |= column[1:] != column[:-1]
    return change


def _as_bytes(characters: np.ndarray) -> np.ndarray:
    """Fixed-width names of gemmi's character matrix, shape=(n, 8) to shape=(n,)."""
    characters = np.ascontiguousarray(characters)
    return characters.view(f"S{characters.shape[1]}").ravel()
