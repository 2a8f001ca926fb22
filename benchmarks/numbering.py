"""What one model costs in a design set, where every sequence is new: its numbering beside its graph: ``python -m
benchmarks numbering [--models 24] [--repeats 3]``.

Each model gets sequences of its own, the Fab's with another CDR H3 and L3. They are numbered all at once, as a run does
for a shard, and one model after the other, as `build_graph` does; and, where the program is installed, all at once by
ANARCI as it is, which calls hmmscan and has to give the same.
"""

import argparse
import contextlib
import importlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np

from stagea_mpi.antibody.complexes import merge_chains
from stagea_mpi.antibody.hmm_search import anarci_module
from stagea_mpi.antibody.numbering import CDR_POSITIONS, Domain, find_domains
from stagea_mpi.graph.interface_graph import build_graph
from stagea_mpi.inputs import read_model

from .costs import Cost, measured, median, print_table
from .parts import SUBJECTS, Model, poses_of

_LETTERS = list("ADEFGHIKLNPQRSTVWY")


def designed(sequence: str, domain: Domain, random: np.random.Generator) -> str:
    """A sequence with other residues in the CDR3 of a domain, but for three at each end."""
    first, last = CDR_POSITIONS[2]
    inside = [domain.start + i for i, position in enumerate(domain.positions) if first <= position <= last]
    letters = list(sequence)
    for i in inside[3:-3]:
        letters[i] = str(random.choice(_LETTERS))
    return "".join(letters)


def designed_pair(model: Model, random: np.random.Generator) -> list[str]:
    """A heavy and a light chain that no other model has."""
    domains = model.checked.heavy, model.checked.light
    chains = model.complex_.heavy, model.complex_.light
    return [designed(chain, domain, random) for chain, domain in zip(chains, domains, strict=True) if domain]


def graph_of(model: Model) -> None:
    """A model's way from its file to its clustered graph, without the numbering."""
    complex_ = merge_chains(read_model(model.ref), model.chains, model.ref.name)
    build_graph(complex_, model.region).cluster()


def plain_anarci() -> ModuleType:
    """ANARCI's module as it is, which calls hmmscan."""
    spec = importlib.util.spec_from_file_location("anarci.as_it_is", importlib.import_module("anarci.anarci").__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_anarci(module: ModuleType, chains: Sequence[str]) -> tuple:
    """Numberings, details and hits of some chains."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        return module.anarci(list(enumerate(chains)), scheme="imgt", ncpu=1)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", type=int, default=24, help="(default %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="(default %(default)s)")


def measure(models: Sequence[Model], repeats: int) -> dict[str, list[Cost]]:
    """What numbering and graphs of all models cost, by turns."""
    random, costs = np.random.default_rng(2026), []
    program = plain_anarci() if shutil.which("hmmscan") else None
    for repeat in range(repeats + 1):
        pairs = [designed_pair(model, random) for model in models]
        chains = [chain for pair in pairs for chain in pair]
        numbered, at_once = measured(partial(find_domains, chains))
        alone, one_by_one = measured(partial(list, map(find_domains, pairs)))
        if not all(numbered) or numbered != [domains for pair in alone for domains in pair]:
            raise SystemExit("sequences are not numbered, or in another way all at once than one by one")
        _, graphs = measured(partial(list, map(graph_of, models)))
        found = [at_once, one_by_one, graphs]
        if program is not None:
            expected, by_program = measured(partial(by_anarci, program, chains))
            if by_anarci(anarci_module(), chains) != expected:
                raise SystemExit("ANARCI gives something else with the library than with hmmscan")
            found.append(by_program)
        if repeat:  # the first time Python's modules are loaded
            costs.append(found)
    names = ("numbering, all at once", "numbering, one by one", "graph", "ANARCI by hmmscan")[: len(costs[0])]
    return {name: list(found) for name, found in zip(names, zip(*costs, strict=True), strict=True)}


def report(found: dict[str, list[Cost]], n_models: int) -> None:
    """Prints the table."""
    ms = 1e3 / n_models
    graph_wall = median(found["graph"])[1]
    rows = [["ms a model", "CPU", "wall", "of the graph's wall"]]
    for name, costs in found.items():
        cpu, wall = median(costs)
        rows.append([name, *(f"{seconds * ms:.1f}" for seconds in (cpu, wall)), f"{wall / graph_wall:.0%}"])
    print_table(rows)


def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        models = poses_of(SUBJECTS["usual"], options.models, Path(folder) / "poses")
        found = measure(models, options.repeats)
    print(
        f"A design set ({SUBJECTS['usual'].name}, each model with a CDR H3 and L3 of its own): {len(models)} models, "
        f"median of {options.repeats} repeats"
    )
    report(found, len(models))
    print(flush=True)
