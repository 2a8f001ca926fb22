"""Models and their references, made from the shipped complexes, and what DockQ says of them:
``python -m tests.pipeline.dockq_cases PYTHON OUT`` writes tests/data/dockq.tsv, where PYTHON is one that has DockQ.
"""

import csv
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gemmi

from stagea_mpi.antibody.complexes import Chains, Complex, merge_chains
from stagea_mpi.demo.poses import COMPLEXES, ShippedComplex, make_poses, read_complex
from stagea_mpi.inputs import list_models, read_model

#: What is compared, as DockQ calls it.
MEASURES = ("DockQ", "fnat", "fnonnat", "iRMSD", "LRMSD")
#: As columns and comparisons call it.
COLUMNS = ("dockq", "fnat", "fnonnat", "irmsd", "lrmsd")
_TABLE = Path(__file__).parents[1] / "data" / "dockq.tsv"


def said_by_dockq() -> dict[str, list[float]]:
    """By name of the case what DockQ has said of it, in the order of `MEASURES`."""
    with _TABLE.open() as file:
        return {row["case"]: [float(row[key]) for key in MEASURES] for row in csv.DictReader(file, delimiter="\t")}


@dataclass(frozen=True)
class Case:
    """ATOM lines of a model and of its reference, and which chains these are."""

    name: str
    chains: Chains
    model: tuple[str, ...]
    reference: tuple[str, ...]


def cases() -> Iterator[Case]:
    """Poses, bent ones, others with residues missing here, there or in both, and with other numbers."""
    for name, count in (("7DAA", 6), ("7CFN", 3)):
        source = COMPLEXES[name]
        chains = Chains(source.heavy, None if source.light == "-" else source.light, source.antigen)
        whole = atom_lines(read_complex(source))
        yield Case(f"{name} itself", chains, whole, whole)
        for pose in make_poses(source, count, seed=5):
            yield Case(f"{name} {pose.name}", chains, posed(source, pose), whole)
        for shift, bend in ((0.4, 0.2), (1.0, 0.5), (2.5, 1.5), (7.0, 2.0)):
            near = bent(shifted(whole, source.antigen, shift), bend)
            yield Case(f"{name} shifted {shift} bent {bend}", chains, near, whole)
            yield Case(f"{name} shifted {shift} bent {bend}, gaps", chains, with_gaps(near, 7), with_gaps(whole, 11))
        yield Case(f"{name} renumbered", chains, renumbered(bent(whole, 0.7)), whole)
        yield Case(f"{name} of a reference with gaps", chains, bent(whole, 0.7), with_gaps(whole, 5))
        yield Case(f"{name} with gaps", chains, with_gaps(bent(whole, 0.7), 5), whole)


def atom_lines(structure: gemmi.Structure) -> tuple[str, ...]:
    return tuple(line for line in structure.make_pdb_string().splitlines() if line.startswith("ATOM"))


def posed(source: ShippedComplex, pose) -> tuple[str, ...]:
    structure = read_complex(source)
    move = gemmi.Transform(gemmi.Mat33(pose.rotation.tolist()), gemmi.Vec3(*pose.translation))
    for name in source.antigen:
        structure[0][name].whole().transform_pos_and_adp(move)
    return atom_lines(structure)


def shifted(lines: Iterable[str], chains: Iterable[str], by: float) -> tuple[str, ...]:
    """Some chains moved along a slanted direction (Å)."""
    return tuple(_moved(line, (0.6 * by, -0.48 * by, 0.64 * by)) if line[21] in chains else line for line in lines)


def bent(lines: Iterable[str], by: float) -> tuple[str, ...]:
    """Each residue moved a little in its own direction (Å)."""
    lines = tuple(lines)
    waves = ([by * math.sin(k * _number(line) + k) for k in (1.7, 2.3, 3.1)] for line in lines)
    return tuple(_moved(line, wave) for line, wave in zip(lines, waves, strict=True))


def with_gaps(lines: Iterable[str], every: int) -> tuple[str, ...]:
    """Without the first residues of each chain, and without some in between, stretches that `every` decides on."""
    lines = tuple(lines)
    first = {line[21]: _number(line) for line in reversed(lines)}
    places = (_number(line) - first[line[21]] for line in lines)
    kept = (place >= every and place // every % 9 != 4 for place in places)
    return tuple(line for line, keep in zip(lines, kept, strict=True) if keep)


def renumbered(lines: Iterable[str]) -> tuple[str, ...]:
    """With other residue numbers and with insertion codes."""
    return tuple(line[:22] + f"{100 + n // 3:4d}{' AB'[n % 3]}" + line[27:] for line in lines for n in [_number(line)])


def _number(line: str) -> int:
    return int(line[22:26])


def _moved(line: str, by: Iterable[float]) -> str:
    xyz = (float(line[k : k + 8]) + d for k, d in zip((30, 38, 46), by, strict=True))
    return line[:30] + "".join(f"{value:8.3f}" for value in xyz) + line[54:]


def read_lines(folder: Path, lines: Iterable[str], chains: Chains) -> Complex:
    """The merged complex of ATOM lines, by the calls that a run makes."""
    path = folder / "x.pdb"
    path.write_text("\n".join(lines) + "\nEND\n")
    (ref,) = list_models(str(path)).models
    return merge_chains(read_model(ref), chains, "x")


def two_chain_text(complex_: Complex) -> str:
    """A complex as DockQ is to read it: antibody A, antigen B."""
    lines = []
    for k in range(len(complex_.xyz)):
        name = complex_.atom_name[k].decode()
        element = "H" if complex_.is_hydrogen[k] else name[0]
        x, y, z = complex_.xyz[k]
        lines.append(
            f"ATOM  {(k + 1) % 100000:5d} {name if len(name) > 3 else ' ' + name:4s} "
            f"{complex_.residue_name[k].decode():3s} {'AB'[complex_.chain[k]]}{complex_.residue_number[k]:4d}    "
            f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {element:>2s}"
        )
    return "\n".join(lines) + "\nEND\n"


#: For a Python that has DockQ: of a folder's pairs of files, what it says, a line each.
_ASK = """
import json, pathlib, sys
from DockQ.DockQ import load_PDB, run_on_all_native_interfaces
for model in sorted(pathlib.Path(sys.argv[1]).glob("*.model.pdb")):
    native = model.with_name(model.name.replace(".model.", ".native."))
    found, _ = run_on_all_native_interfaces(load_PDB(str(model)), load_PDB(str(native)), {"A": "A", "B": "B"})
    (info,) = found.values() or [{}]
    print(json.dumps({key: float(info[key]) for key in ("DockQ", "fnat", "fnonnat", "iRMSD", "LRMSD")}))
"""


def dockq_says(python: str, pairs: Iterable[tuple[Complex, Complex]]) -> list[dict[str, float]]:
    """DockQ's numbers of models and their references."""
    with tempfile.TemporaryDirectory() as folder:
        for k, pair in enumerate(pairs):
            for what, complex_ in zip(("model", "native"), pair, strict=True):
                Path(folder, f"{k:05d}.{what}.pdb").write_text(two_chain_text(complex_))
        done = subprocess.run([python, "-c", _ASK, folder], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main(python: str, out: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, made = Path(name), list(cases())
        pairs = [
            tuple(read_lines(folder, lines, case.chains) for lines in (case.model, case.reference)) for case in made
        ]
        said = dockq_says(python, pairs)
    rows = [[case.name, *(f"{found[key]:.6f}" for key in MEASURES)] for case, found in zip(made, said, strict=True)]
    Path(out).write_text("".join("\t".join(row) + "\n" for row in [["case", *MEASURES], *rows]))


if __name__ == "__main__":
    main(*sys.argv[1:])
