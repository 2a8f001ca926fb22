"""Structures made for a test: the shipped Fab without its constant domains as PDB lines, and ways to spoil it."""

import functools
import gzip
from pathlib import Path

import numpy as np
from shipped import FAB_CHAINS, STRUCTURES

from stagea_mpi.antibody.chain_checking import CheckedChains, antibody_imgt, antibody_regions, role_domain
from stagea_mpi.antibody.chain_rules import ChainRule
from stagea_mpi.antibody.complexes import Chains, Complex, merge_chains
from stagea_mpi.antibody.numbering import Domain, find_domains
from stagea_mpi.errors import ModelError
from stagea_mpi.graph.interface_graph import GraphArrays, build_graph
from stagea_mpi.inputs import AtomTable, FileNames, list_models, read_model, stem
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline.inventory import ModelEntry, list_shard
from stagea_mpi.rundir.shard_meta import ShardMeta, ShardResult

_CIF_COLUMNS = (
    "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id label_seq_id pdbx_PDB_ins_code "
    "Cartn_x Cartn_y Cartn_z occupancy B_iso_or_equiv auth_seq_id auth_asym_id pdbx_PDB_model_num"
).split()


@functools.cache
def fv_lines() -> tuple[str, ...]:
    """ATOM lines of the Fv and its antigen: chains A, H and L."""
    text = gzip.decompress((STRUCTURES / "7DAA_model.pdb.gz").read_bytes()).decode()
    last = {"A": 999, "H": 112, "L": 110}
    return tuple(line for line in text.splitlines() if line.startswith("ATOM") and int(line[22:26]) <= last[line[21]])


def text_of(lines) -> bytes:
    return ("\n".join(lines) + "\nEND\n").encode()


def cif_of(lines) -> bytes:
    """ATOM and HETATM lines as mmCIF, in their order; what is blank is a point there."""
    rows = [
        " ".join(
            value.strip() or "."
            for value in (
                line[:6], str(k), line[76:78], line[12:16], line[16], line[17:21], line[21], "", line[26],
                line[30:38], line[38:46], line[46:54], line[54:60], line[60:66], line[22:26], line[21], "1",
            )
        )
        for k, line in enumerate(lines, 1)
    ]  # fmt: skip
    head = ["data_x", "loop_", *(f"_atom_site.{name}" for name in _CIF_COLUMNS)]
    return "\n".join([*head, *rows, "#", ""]).encode()


def changed(line: str, first: int, value: str) -> str:
    """A line with something else from a column on (counted from 0)."""
    return line[:first] + value + line[first + len(value) :]


def moved(line: str, shift: tuple[float, float, float]) -> str:
    """An ATOM line with its atom elsewhere."""
    xyz = [float(line[k : k + 8]) + by for k, by in zip((30, 38, 46), shift, strict=True)]
    return changed(line, 30, "".join(f"{value:8.3f}" for value in xyz))


def write(path: Path, lines) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lines if isinstance(lines, bytes) else text_of(lines))
    return str(path)


def read(path: str) -> AtomTable:
    """Atoms of a file's first model."""
    return read_model(list_models(path).models[0])


def entries_of(path: str, chains: Chains | ChainRule = FAB_CHAINS) -> list[ModelEntry]:
    """What a run finds in a file."""
    return list_shard(SerialComm(), [(path, FileNames.of_stem(stem(path)))], chains)


def reasons_of(path: str, chains: Chains | ChainRule = FAB_CHAINS) -> list[str]:
    """By model the reason of its failure, empty where there is none."""
    return [entry.failure.reason if entry.failure else "" for entry in entries_of(path, chains)]


@functools.cache
def domains_of(sequence: str) -> tuple[Domain, ...]:
    (found,) = find_domains([sequence])
    return found


def checked(complex_: Complex) -> CheckedChains:
    """The domains of a complex, whatever its chains are."""
    light = role_domain("light", domains_of(complex_.light)) if complex_.light else None
    return CheckedChains(role_domain("heavy", domains_of(complex_.heavy)), light)


def graph_of(path: str, chains: Chains = FAB_CHAINS) -> GraphArrays:
    """The graph of a file's first model."""
    complex_ = merge_chains(read(path), chains, path)
    found = checked(complex_)
    return build_graph(complex_, antibody_regions(complex_, found), antibody_imgt(complex_, found))


def same_graphs(one: GraphArrays, other: GraphArrays) -> bool:
    """Whether two graphs have the same nodes with the same features and the same edges."""
    columns = ("chain", "residue_number", "residue_type", "atom_type", "region", "position", "bsa")
    edges = ("nodes", "dist", "elec", "vdw", "voro_area", "orientation")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in columns) and all(
        np.array_equal(getattr(getattr(one, kind), name), getattr(getattr(other, kind), name))
        for kind in ("interface", "internal")
        for name in edges
    )


def refusal(work, *arguments) -> ModelError:
    """The failure that a call ends in."""
    try:
        work(*arguments)
    except ModelError as failure:
        return failure
    raise AssertionError(f"{work.__name__} did not refuse {arguments}")


def meta_of(files=None, graphs_bytes=None, replaced=None) -> ShardMeta:
    """Metadata of a shard of two models, one of them without a graph."""
    result = ShardResult(n_models=2, n_ok=1, n_fail=1, graphs_bytes=graphs_bytes)
    return ShardMeta(
        do_cluster=False, result=result, numerics={}, numerics_sha256="", inputs_sha256="", wall_s=1.0,
        files=files or {}, replaced=replaced,
    )  # fmt: skip
