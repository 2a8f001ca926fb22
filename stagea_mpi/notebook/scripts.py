"""Scripts with which PyMOL and ChimeraX show a model as its graph has it.

Cartoons are coloured by region, the interface's sticks by a value. A selection names each residue, none by a range: a
range of numbers would take residues with insertion codes, too. Names of files are those in the script's own folder.
"""

import re

import numpy as np

from ..structure.residues import REGIONS
from .colours import REGION_COLOURS, ROLE_COLOURS, STICK_RAMP, VALUES, colouring
from .residues import ModelResidues
from .structure_text import chain_names

_CDRS = tuple(sorted(name for name in REGIONS if name[0] in "HL"))
#: What has a colour of its own in the cartoon, in the order in which it is coloured.
_CARTOON = {role: ROLE_COLOURS[role] for role in ("heavy", "light", "antigen")} | {c: REGION_COLOURS[c] for c in _CDRS}


def file_stem(model: str) -> str:
    """A name for files and for an object of PyMOL, which takes letters of ASCII, digits, ``_``, ``-`` and points.

    >>> file_stem("pose 1,b"), file_stem("H3"), file_stem("-x")
    ('pose_1_b', 'H3_model', '_x')
    """
    stem = re.sub(r"[^A-Za-z0-9_.-]", "_", model)
    stem = re.sub(r"^[.-]", "_", stem)
    taken = {*_CDRS, *_CARTOON, "antibody", "paratope", "epitope", "interface", "all", "none"}
    return f"{stem}_model" if stem in taken else stem


def selections(residues: ModelResidues) -> dict[str, np.ndarray]:
    """Residues that scripts have a name for, bool, shape=(r,): heavy, light, antibody, antigen, H1 to L3, paratope,
    epitope and interface; those that the model has.
    """
    role, region = np.array(residues.role), np.array(residues.region)
    antibody, antigen = np.isin(role, ("heavy", "light")), role == "antigen"
    found = {
        "heavy": role == "heavy",
        "light": role == "light",
        "antibody": antibody,
        "antigen": antigen,
        **{cdr: region == cdr for cdr in _CDRS},
        "paratope": antibody & residues.is_interface,
        "epitope": antigen & residues.is_interface,
        "interface": residues.is_interface,
    }
    return {name: chosen for name, chosen in found.items() if chosen.any()}


def _by_chain(residues: ModelResidues, chosen: np.ndarray) -> list[tuple[str, list[str] | None]]:
    """Chains, as files have them, with the numbers of the residues that are chosen; None where all of a chain are."""
    names = chain_names(residues.chain)
    chain = np.array(residues.chain)
    found: list[tuple[str, list[str] | None]] = []
    for name in dict.fromkeys(chain[chosen].tolist()):
        inside = chain == name
        labels = [residues.label[k] for k in np.flatnonzero(inside & chosen)]
        found.append((names[name], None if chosen[inside].all() else list(dict.fromkeys(labels))))
    return found


def _pymol_selection(residues: ModelResidues, chosen: np.ndarray) -> str:
    parts = []
    for chain, labels in _by_chain(residues, chosen):
        numbers = "+".join(label.replace("-", "\\-") for label in labels or ())
        parts.append(f"(chain {chain} and resi {numbers})" if labels else f"(chain {chain})")
    return " or ".join(parts)


def pymol_script(residues: ModelResidues, by: str, structure_file: str, header: str) -> str:
    """A script of PyMOL.

    Parameters
    ----------
    residues : ModelResidues
    by : str
        One of `colours.VALUES`: what stands in the B factors of the structure's file.
    structure_file : str
        Its name in the script's folder.
    header : str
        What the script begins with, as a comment.
    """
    model = file_stem(residues.name)
    found, shown = selections(residues), colouring(residues, by)
    least, most = shown.bounds or (0.0, 100.0)
    value, unit = VALUES[by]
    lines = [
        *_comment(header),
        f"# B factors are {value}{f' in {unit}' if unit else ''}, by which sticks are coloured.",
        "python",
        "import os",
        f'cmd.load(os.path.join(os.path.dirname(globals().get("__script__", "")), "{structure_file}"), "{model}")',
        "python end",
        *(f"select {name}, {model} and ({_pymol_selection(residues, chosen)})" for name, chosen in found.items()),
        "deselect",
        f"hide everything, {model}",
        f"show cartoon, {model}",
        "show sticks, interface and not elem H",
        f"color 0x{ROLE_COLOURS['other'][1:]}, {model}",
        *(f"set cartoon_color, 0x{colour[1:]}, {name}" for name, colour in _CARTOON.items() if name in found),
        *(
            f"set_color ramp_{k}, [{', '.join(str(int(c[i : i + 2], 16)) for i in (1, 3, 5))}]"
            for k, c in enumerate(STICK_RAMP)
        ),
        f"spectrum b, {' '.join(f'ramp_{k}' for k in range(len(STICK_RAMP)))}, interface, {least:.2f}, {most:.2f}",
        "bg_color white",
        f"orient {model}",
        "zoom interface, 8",
    ]
    return "\n".join(lines) + "\n"


def _chimerax_selection(residues: ModelResidues, chosen: np.ndarray) -> str:
    parts = (f"/{chain}:{','.join(labels)}" if labels else f"/{chain}" for chain, labels in _by_chain(residues, chosen))
    return " ".join(parts)


def chimerax_script(
    residues: ModelResidues, by: str, structure_file: str, attribute_files: dict[str, str], header: str
) -> str:
    """A script of ChimeraX, which reads files of the folder that it is in.

    Parameters
    ----------
    residues : ModelResidues
    by : str
        One of `colours.VALUES`: what colours the sticks.
    structure_file : str
    attribute_files : dict of str to str
        By attribute of residues the file that has its values (`chimerax_attribute`).
    header : str
        What the script begins with, as a comment.
    """
    found, shown = selections(residues), colouring(residues, by)
    least, most = shown.bounds or (0.0, 100.0)
    attribute = f"r:{by}" if by in attribute_files else "bfactor"
    labels = np.linspace(least, most, len(STICK_RAMP))
    lines = [
        *_comment(header),
        f"open {structure_file}",
        *(f"open {file}" for file in attribute_files.values()),
        *(f"name {name} {_chimerax_selection(residues, chosen)}" for name, chosen in found.items()),
        "hide atoms",
        "cartoon",
        "show interface & ~H atoms",
        "style interface stick",
        *(f"color {name} {colour} target c" for name, colour in _CARTOON.items() if name in found),
        f"color byattribute {attribute} interface palette {':'.join(STICK_RAMP)} range {least:.2f},{most:.2f} target a",
        f"key {' '.join(f'{colour}:{label:.1f}' for colour, label in zip(STICK_RAMP, labels, strict=True))}",
        "set bgColor white",
        "lighting soft",
        "view interface",
    ]
    return "\n".join(lines) + "\n"


def chimerax_attribute(residues: ModelResidues, name: str, header: str) -> str:
    """A file of ChimeraX that gives residues an attribute; those without a value have none."""
    values, chain = residues.values(name), chain_names(residues.chain)
    lines = [*_comment(header), f"attribute: {name}", "recipient: residues"]
    lines += [
        f"\t/{chain[residues.chain[k]]}:{residues.label[k]}\t{values[k]:.3f}"
        for k in np.flatnonzero(np.isfinite(values))
    ]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in text.split("\n")]
