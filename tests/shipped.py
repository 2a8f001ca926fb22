"""The shipped complexes and three poses on their whole way from the file to the graph, each built once a session."""

import functools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from stagea_mpi.antibody.chain_checking import CheckedChains, antibody_imgt, antibody_regions, check_chains
from stagea_mpi.antibody.complexes import Chains, Complex, merge_chains
from stagea_mpi.antibody.numbering import find_domains
from stagea_mpi.demo import poses
from stagea_mpi.graph.interface_graph import GraphArrays, build_graph
from stagea_mpi.inputs import list_models, read_model

STRUCTURES = resources.files("stagea_mpi") / "data" / "structures"
FAB_CHAINS = Chains("H", "L", ("A",))
NANOBODY_CHAINS = Chains("N", None, ("A", "B", "G", "R"))


@dataclass(frozen=True)
class Built:
    """A model, its regions and IMGT numbers, and its graph."""

    name: str
    complex_: Complex
    checked: CheckedChains
    region: np.ndarray
    imgt: np.ndarray
    graph: GraphArrays


@functools.cache
def fab() -> Built:
    """A Fab on its antigen, 7DAA."""
    (built,) = build_models(STRUCTURES / "7DAA_model.pdb.gz", FAB_CHAINS)
    return built


@functools.cache
def nanobody() -> Built:
    """A nanobody on four antigen chains, 7CFN."""
    (built,) = build_models(STRUCTURES / "7CFN.cif.gz", NANOBODY_CHAINS)
    return built


@functools.cache
def three_poses() -> tuple[Built, ...]:
    """The ensemble of `python -m stagea_mpi.demo.poses OUT_DIR --count 3 --ensemble --seed 7`."""
    with tempfile.TemporaryDirectory() as folder:
        path = poses.write_ensemble(Path(folder) / "ensemble.pdb", poses.COMPLEXES["7DAA"], count=3, seed=7)
        return tuple(build_models(path, FAB_CHAINS))


def build_models(path: Path, chains: Chains) -> Iterator[Built]:
    """Every model of a file, by the calls that a run makes."""
    for ref in list_models(str(path)).models:
        complex_ = merge_chains(read_model(ref), chains, ref.name)
        sequences = {"heavy": complex_.heavy} | ({"light": complex_.light} if complex_.light else {})
        domains = dict(zip(sequences, find_domains(list(sequences.values())), strict=True))
        checked = check_chains(chains, domains, {})
        region, imgt = antibody_regions(complex_, checked), antibody_imgt(complex_, checked)
        yield Built(ref.name, complex_, checked, region, imgt, build_graph(complex_, region, imgt))
