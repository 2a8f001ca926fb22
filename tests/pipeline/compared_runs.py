"""Runs with a reference, for tests of what their files and tables say of it."""

import dataclasses
from pathlib import Path

import numpy as np
from shipped import STRUCTURES

from stagea_mpi.config.references import parse_reference
from stagea_mpi.config.run_config import RunConfig
from stagea_mpi.storage.packed_reader import PackedFile

FAB, NANOBODY = STRUCTURES / "7DAA_model.pdb.gz", STRUCTURES / "7CFN.cif.gz"
#: Chains of the nanobody's complex, in run.yaml's shape.
NANOBODY_STATED = {"heavy": "N", "light": "-", "antigen": ["A", "B", "G", "R"]}


def with_reference(config: RunConfig, value, root: Path) -> RunConfig:
    return dataclasses.replace(config, run_root=root, reference=parse_reference(value, "reference"))


def targets_of(root: Path) -> dict[str, np.ndarray]:
    """All shards' columns, behind each other."""
    parts = []
    for path in sorted(root.glob("shards/*/packed.h5")):
        with PackedFile(path) as packed:
            parts.append(packed.targets)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def same_targets(one: Path, other: Path) -> bool:
    a, b = targets_of(one), targets_of(other)
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k], equal_nan=a[k].dtype.kind == "f") for k in a)
