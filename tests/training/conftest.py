"""A run with several antigens, as h5py and gzip alone read it."""

import gzip

import h5py
import numpy as np
import pytest


@pytest.fixture
def stage_b(two_rank_run):
    """Each model's group in graphs.h5, by name."""
    files = [h5py.File(path) for path in sorted((two_rank_run / "shards").glob("*/graphs.h5"))]
    yield {name: file[name] for file in files for name in file}
    for file in files:
        file.close()


@pytest.fixture
def matrix_of():
    """The datasets of a group side by side, float32: as DeepRank-Ab reads them."""

    def read(group, prefix: str, names) -> np.ndarray:
        columns = [group[f"{prefix}/{name}"][()] for name in names]
        return np.hstack([c[:, None] if c.ndim == 1 else c for c in columns]).astype(np.float32)

    return read


@pytest.fixture
def write_antigens(run_copy):
    """Gives the run's models other antigens in the manifests; the run's folder."""

    def write(antigen_of: dict[str, str]):
        for path in (run_copy / "shards").glob("*/manifest.tsv.gz"):
            header, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
            model, chain, sequence = (header.split("\t").index(name) for name in ("mol", "chain", "sequence"))
            rows = [line.split("\t") for line in lines]
            for row in rows:
                if row[chain] == "B":
                    row[sequence] = antigen_of[row[model]]
            text = "\n".join([header, *("\t".join(row) for row in rows)]) + "\n"
            path.write_bytes(gzip.compress(text.encode()))
        return run_copy

    return write
