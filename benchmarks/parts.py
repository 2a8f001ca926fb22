"""What each part of a model's way costs, the kernels beside the programs whose numbers they give: ``python -m
benchmarks parts [--models 12] [--repeats 5] [--sizes small usual large]``.

Poses of a small, a usual and a large complex. Each part is done for all of them, the kernel and its reference by turns,
so that a drift of the machine's speed meets both; times are medians over the repeats and a model's, ratios those of
neighbours in time. Both files hold all poses of a complex. Ends with exit code 1 where a result is not the reference's.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stagea_mpi.antibody.chain_checking import antibody_imgt, antibody_regions
from stagea_mpi.antibody.complexes import merge_chains
from stagea_mpi.graph.burial import buried_areas
from stagea_mpi.graph.clustering import cluster_two_depths
from stagea_mpi.graph.contacts import INTERNAL_CUTOFF, interface_contacts, internal_pairs
from stagea_mpi.graph.interface_graph import build_graph
from stagea_mpi.graph.left_out import left_out
from stagea_mpi.graph.quality import assess
from stagea_mpi.graph.timing import STAGES, StageClock
from stagea_mpi.graph.voronoi import contact_areas
from stagea_mpi.inputs import read_model
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.storage.deeprank_writer import write_graphs
from stagea_mpi.storage.packed_copy import write_clustered
from stagea_mpi.storage.packed_reader import PackedFile
from stagea_mpi.storage.packed_writer import ModelRecord, PackedWriter
from stagea_mpi.storage.schema import root_attributes
from stagea_mpi.structure.neighbours import INTERFACE_CUTOFF

from . import references
from .costs import Cost, measured, median, print_table, ratio, spent
from .poses import SUBJECTS, Model, Models, poses_of

#: Relative: Voronota prints six digits.
_PRINTED = 5.1e-6
#: Parts that make up the row of the kernels.
_KERNELS = ("contact areas", "burial", "clustering")
#: Does a part for some models: its results, and what it has cost.
Work = Callable[[Models], tuple[list[Any], Cost]]


@dataclass(frozen=True)
class Part:
    """A part of a model's way.

    Attributes
    ----------
    name : str
    work : Work
    reference : Work, optional
        The same by another program.
    program : str
        Its name.
    compare : callable
        What is said of the two lists of results, and whether they are as equal as they have to be.
    """

    name: str
    work: Work
    reference: Work | None = None
    program: str = ""
    compare: Callable[[list[Any], list[Any]], tuple[str, bool]] = lambda ours, theirs: ("", True)


def each(of_one: Callable[[Model], Any]) -> Work:
    """What is done model by model."""
    return lambda models: measured(lambda: [of_one(model) for model in models])


def at_once(of_all: Callable[[Models], None]) -> Work:
    """What is done for all models together, and gives no results."""

    def work(models: Models) -> tuple[list[Any], Cost]:
        _, cost = measured(lambda: of_all(models))
        return [], cost

    return work


def _read(model: Model) -> None:
    merge_chains(read_model(model.ref), model.chains, model.ref.name)


def _neighbours(model: Model) -> tuple[np.ndarray, ...]:
    xyz, chain = model.complex_.xyz[model.nodes], model.complex_.chain[model.nodes]
    return (*interface_contacts(*model.sides), *internal_pairs(xyz, chain))


def _scipy_neighbours(model: Model) -> tuple[np.ndarray, ...]:
    xyz, chain = model.complex_.xyz[model.nodes], model.complex_.chain[model.nodes]
    found = references.contacts(*model.sides, INTERFACE_CUTOFF)
    return (*found, *references.internal_pairs(xyz, chain, INTERNAL_CUTOFF))


def _areas(by: Callable[..., np.ndarray], model: Model) -> np.ndarray:
    complex_, heavy = model.complex_, model.heavy
    return by(complex_.atom_name[heavy], complex_.xyz[heavy], np.searchsorted(heavy, model.nodes), model.pairs)


def _burial(model: Model) -> np.ndarray:
    c = model.complex_
    return buried_areas(c.chain, c.residue, c.residue_name, c.atom_name, c.is_hydrogen, c.xyz, model.residues)


def _clusters(by: Callable[..., tuple[np.ndarray, np.ndarray]], model: Model) -> tuple[np.ndarray, np.ndarray]:
    return by(len(model.graph), model.graph.internal.nodes)


def _quality(model: Model) -> None:
    antibody_regions(model.complex_, model.checked)
    assess(model.complex_, model.graph, model.checked, left_out(model.atoms, model.chains))


class _CostClock(StageClock):
    """Books CPU time, too."""

    def __init__(self) -> None:
        super().__init__()
        self.costs = dict.fromkeys(STAGES, Cost())
        self._before = spent()

    def lap(self, stage: str) -> None:
        now = spent()
        self.costs[stage] += now - self._before
        self._before = now


def _features(models: Models) -> tuple[list[Any], Cost]:
    """The last stage of building graphs, all of which are built anew for it."""
    total = Cost()
    for model in models:
        clock = _CostClock()
        build_graph(model.complex_, model.region, antibody_imgt(model.complex_, model.checked), clock)
        total += clock.costs["edges"]
    return [], total


def _write_packed(folder: Path, models: Models) -> None:
    """packed.h5 as one rank writes it, in one round, and once more with its clusters."""
    widths = {
        "model/name": max(len(model.ref.name) for model in models),
        "model/source": max(len(model.ref.path) for model in models),
    }
    writer = PackedWriter(str(folder / "packed.h5"), SerialComm(), root_attributes("{}", "", ""), widths, rounds=1)
    no_time = (0.0,) * len(STAGES)
    writer.append([
        ModelRecord(i, model.ref.name, model.ref.path, "", len(model.complex_.chain), 0, no_time, model.graph)
        for i, model in enumerate(models)
    ])  # fmt: skip
    writer.close()
    with PackedFile(folder / "packed.h5") as packed:
        write_clustered(packed, folder / "clustered.h5", {i: model.clusters for i, model in enumerate(models)})


def _write_graphs(folder: Path, models: Models) -> None:
    """graphs.h5 from packed.h5."""
    with PackedFile(folder / "packed.h5") as packed:
        graphs = ((name, graph, models[i].clusters) for i, name, graph in packed.graphs())
        write_graphs(str(folder / "graphs.h5"), graphs)


def _same_pairs(ours: list[Any], theirs: list[Any]) -> tuple[str, bool]:
    equal = all(np.array_equal(a, b) for one, other in zip(ours, theirs, strict=True)
                for a, b in zip(one[::2], other[::2], strict=True))  # fmt: skip
    return ("equal pairs" if equal else "PAIRS DIFFER"), equal


def _same_areas(ours: list[np.ndarray], theirs: list[np.ndarray]) -> tuple[str, bool]:
    found, expected = np.concatenate(ours), np.concatenate(theirs)
    close = bool(np.allclose(found, expected, rtol=_PRINTED, atol=1e-6))
    said = f"max |Δ| {np.abs(found - expected).max():.1e} Å² of {len(found)} pairs, {np.count_nonzero(expected)} touch"
    return said + ("" if close else ": MORE THAN VORONOTA'S SIX DIGITS"), close


def _same_bits(ours: list[np.ndarray], theirs: list[np.ndarray]) -> tuple[str, bool]:
    found, expected = np.concatenate(ours), np.concatenate(theirs)
    equal = found.tobytes() == expected.tobytes()
    return (f"equal bits of {len(found)} residues" if equal else
            f"BITS DIFFER: max |Δ| {np.abs(found - expected).max():.1e} Å²"), equal  # fmt: skip


def _same_labels(ours: list[Any], theirs: list[Any]) -> tuple[str, bool]:
    equal = all(np.array_equal(a, b) for one, other in zip(ours, theirs, strict=True)
                for a, b in zip(one, other, strict=True))  # fmt: skip
    return ("equal labels" if equal else "LABELS DIFFER"), equal


def parts(folder: Path) -> list[Part]:
    """All parts, in the order in which they happen; files go into a folder."""
    voronota = each(partial(_areas, references.contact_areas)) if references.has_voronota() else None
    return [
        Part("read and merge", each(_read)),
        Part("neighbours", each(_neighbours), each(_scipy_neighbours), "SciPy's cKDTree", _same_pairs),
        Part("contact areas", each(partial(_areas, contact_areas)), voronota, "voronota", _same_areas),
        Part("burial", each(_burial), each(lambda model: references.buried_areas(model.complex_, model.residues)),
             "freesasa", _same_bits),
        Part("features", _features),
        Part("regions, quality", each(_quality)),
        Part("clustering", each(partial(_clusters, cluster_two_depths)),
             each(partial(_clusters, references.two_depths)), "MCL on SciPy's matrices", _same_labels),
        Part("packed.h5", at_once(partial(_write_packed, folder))),
        Part("graphs.h5", at_once(partial(_write_graphs, folder))),
    ]  # fmt: skip


@dataclass
class Found:
    """What repeats of a part have cost, and what its results are."""

    ours: list[Cost] = field(default_factory=list)
    theirs: list[Cost] = field(default_factory=list)
    said: str = ""
    is_right: bool = True


def measure(models: Models, repeats: int, folder: Path) -> tuple[list[Part], dict[str, Found]]:
    """Does all parts so many times, after a first one that is not counted."""
    all_parts = parts(folder)
    found = {part.name: Found() for part in all_parts}
    for repeat in range(repeats + 1):
        for part in all_parts:
            here = found[part.name]
            results, cost = part.work(models)
            here.ours.append(cost)
            if part.reference is not None:
                expected, cost = part.reference(models)
                here.theirs.append(cost)
                said, is_right = part.compare(results, expected)
                if here.is_right:  # what was wrong once stays so
                    here.said, here.is_right = said, is_right
            elif part.program:
                here.said = f"{part.program} is not installed"
            if repeat == 0:
                here.ours.clear()
                here.theirs.clear()
    return all_parts, found


def report(all_parts: Sequence[Part], found: dict[str, Found], n_models: int) -> None:
    """Prints the table of one complex."""

    def row(name: str, ours: Sequence[Cost], theirs: Sequence[Cost], program: str = "", said: str = "") -> list[str]:
        cells = [f"{seconds * 1e3:.2f}" for seconds in median(ours, 1 / n_models)]
        if not theirs:
            return [name, *cells, *[""] * 5, said]
        cells += [program, *(f"{seconds * 1e3:.2f}" for seconds in median(theirs, 1 / n_models))]
        return [name, *cells, ratio(theirs, ours, "cpu"), ratio(theirs, ours, "wall"), said]

    rows = [["ms a model", "CPU", "wall", "reference", "CPU", "wall", "CPU ratio", "wall ratio", "results"]]
    for part in all_parts:
        here = found[part.name]
        rows.append(row(part.name, here.ours, here.theirs, part.program, here.said))
    rows.append(row("all of these", _summed([here.ours for here in found.values()]), []))
    kernels = [found[name] for name in _KERNELS]
    if all(here.theirs for here in kernels):
        ours, theirs = _summed([here.ours for here in kernels]), _summed([here.theirs for here in kernels])
        rows.append(row(" + ".join(_KERNELS), ours, theirs, "all three"))
    print_table(rows)


def _summed(costs: Sequence[Sequence[Cost]]) -> list[Cost]:
    """Sums over the parts, one for each repeat."""
    return [sum(of_repeat, Cost()) for of_repeat in zip(*costs, strict=True)]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", type=int, default=12, help="poses of each complex (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="(default %(default)s)")
    parser.add_argument("--sizes", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))


def main(options: argparse.Namespace) -> None:
    wrong = []
    for size in options.sizes:
        source = SUBJECTS[size]
        with tempfile.TemporaryDirectory() as folder:
            models = poses_of(source, options.models, Path(folder) / "poses")
            all_parts, found = measure(models, options.repeats, Path(folder))
        nodes, edges = (np.mean([len(of(m)) for m in models]) for of in (lambda m: m.nodes, lambda m: m.pairs))
        print(
            f"A {size} complex ({source.name}): {len(models[0].complex_.chain)} atoms, {len(models)} poses with "
            f"{nodes:.0f} nodes and {edges:.0f} edges on average; median of {options.repeats} repeats"
        )
        report(all_parts, found, len(models))
        print(flush=True)
        wrong += [f"{size}: {name}: {here.said}" for name, here in found.items() if not here.is_right]
    if wrong:
        raise SystemExit("results are not the references':\n" + "\n".join(wrong))
