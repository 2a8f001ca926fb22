"""`export --pymol` and `export --chimerax`: a model of a run as a structure and a script that shows it."""

from pathlib import Path

import numpy as np

from .. import __version__
from ..errors import ConfigError, RunFolderError, StorageError, escape_unprintable
from ..mpi.teams import is_first_process
from ..rundir.folders import as_utf8, write_together
from .colours import VALUES
from .explore import Run
from .residues import ModelResidues
from .scripts import chimerax_attribute, chimerax_script, file_stem, pymol_script
from .structure_text import structure_text

#: What colours the sticks: of `colours.VALUES` those with a ramp.
COLOURS = ("contact_area", "bsa", "b_factor")
#: Of these ChimeraX gets attributes of its own.
_ATTRIBUTES = ("contact_area", "bsa")


def export_model(run_root: Path, model: str, program: str, folder: Path, by: str = "contact_area") -> list[Path]:
    """Writes a model's structure, and a script that shows it with what its graph has of it.

    Parameters
    ----------
    run_root : path
    model : str
        Its name.
    program : str
        ``pymol`` or ``chimerax``.
    folder : path
        Where to; it is made, and files of the same names are replaced.
    by : str
        What colours the sticks, one of `COLOURS`; for PyMOL it stands in the structure's B factors.

    Returns
    -------
    paths : list of Path
        What was written, the script last.

    Raises
    ------
    RunFolderError
        The run has no such model or no graph of it, or its input has changed.
    ModelError, LaunchError
        As `stagea_mpi.build_graph`.
    StorageError
        The files cannot be written.
    """
    try:
        residues = Run(run_root)[model].in_structure()
    except KeyError as error:
        raise RunFolderError(f"{run_root}: {error.args[0]}") from error
    files = files_of(residues, program, by)
    paths = [folder / name for name in files]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_together(zip(paths, map(as_utf8, files.values()), strict=True))
    except OSError as error:
        raise StorageError.of(error, folder) from error
    return paths


def files_of(residues: ModelResidues, program: str, by: str) -> dict[str, str]:
    """What the files of a model hold by their names, the script last; arguments are those of `export_model`."""
    stem = file_stem(residues.name)
    header = f"{residues.name}: the model and its interface, written by stagea_mpi {__version__}"
    if program == "pymol":
        text, ending = structure_text(residues.atoms, stem, _of_atoms(residues, residues.values(by)))
        return {f"{stem}{ending}": text, f"{stem}.pml": pymol_script(residues, by, f"{stem}{ending}", header)}
    text, ending = structure_text(residues.atoms, stem)
    attributes = {name: f"{stem}_{name}.defattr" for name in _ATTRIBUTES}
    told = {name: "{}: {} ({})".format(residues.name, *VALUES[name]) for name in _ATTRIBUTES}
    return {
        f"{stem}{ending}": text,
        **{file: chimerax_attribute(residues, name, told[name]) for name, file in attributes.items()},
        f"{stem}.cxc": chimerax_script(residues, by, f"{stem}{ending}", attributes, header),
    }


def _of_atoms(residues: ModelResidues, values: np.ndarray) -> np.ndarray:
    return np.repeat(values, np.diff(residues.first))


def main(run_root: str, output: str, *, pymol: str | None, chimerax: str | None, by: str | None) -> int:
    """The command, for one of the two programs; the exit code. Of a launch's processes the first writes."""
    program, model = ("chimerax", chimerax) if pymol is None else ("pymol", pymol)
    by = by or COLOURS[0]
    if not model:
        raise ConfigError(f"export: --{program}: expected the name of a model, found nothing")
    if by not in COLOURS:
        raise ConfigError(f"export: --colour: expected {', '.join(COLOURS)}, found {by!r}")
    if is_first_process():
        for path in export_model(Path(run_root), model, program, Path(output), by):
            print(escape_unprintable(f"stagea_mpi: {path}"))
    return 0
