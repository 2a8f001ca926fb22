"""One graph in a file of its own: a packed.h5 of one model, and behind HDF5's last byte a line with its SHA-256.

A shard's files have theirs in its metadata; this file has nothing beside it. HDF5 ignores what is behind its end, and
drops it where somebody writes into the file, which is read unchecked then. It must not be given a damaged file: some
changed bits of a header end the process.
"""

import hashlib
import json
import re
from pathlib import Path

from .. import __version__
from ..errors import ConfigError, RunFolderError, listed
from ..graph.interface_graph import Clusters, GraphArrays
from ..graph.timing import STAGES
from ..mpi.teams import SerialComm
from .packed_copy import write_clustered
from .packed_reader import PackedFile, reading
from .packed_writer import ModelRecord, PackedWriter, as_bytes
from .schema import root_attributes

_CHECKSUM = "\nstagea_mpi: SHA-256 of all before this line: {}\n"
_LENGTH = len(_CHECKSUM.format("0" * 64))


def write_graph(path: str | Path, name: str, graph: GraphArrays, clusters: Clusters | None = None) -> None:
    """Writes a graph; what a run knows of a model beside its graph is unknown there.

    Parameters
    ----------
    path : str or Path
        A new file.
    name : str
        The model's.
    graph : GraphArrays
    clusters : tuple of ndarray, optional
        Labels of depth 0 and 1 (`clustering.cluster_two_depths`).

    Raises
    ------
    StorageError, OSError
    """
    record = ModelRecord(0, name, "", "", -1, 0, (0.0,) * len(STAGES), graph)
    attributes = root_attributes(json.dumps({"stagea_mpi": __version__}), "", "")
    widths = {"model/name": len(as_bytes(name)), "model/source": 1}
    plain = Path(path) if clusters is None else Path(f"{path}.unclustered")
    try:
        writer = PackedWriter(str(plain), SerialComm(), attributes, widths, rounds=1)
        writer.append([record])
        writer.close()
        if clusters is not None:
            with PackedFile(plain) as packed:
                write_clustered(packed, path, {0: clusters})
        _add_checksum(Path(path))
    finally:
        if clusters is not None:
            plain.unlink(missing_ok=True)


def read_graph(path: str | Path, model: str | None = None) -> tuple[str, GraphArrays, Clusters | None]:
    """Name, graph and clusters of a model of a packed.h5.

    Parameters
    ----------
    path : str or Path
    model : str, optional
        Its name, where there are several graphs.

    Raises
    ------
    ConfigError
        There are several, or none of this name.
    RunFolderError
        The file is missing, damaged, or something else.
    """
    _verify(Path(path))
    with reading(path) as packed:
        packed.check()
        models = list(zip(packed.names, packed.statuses, strict=True))
    index_of = {name: k for k, (name, status) in enumerate(models) if status == "ok"}
    name = next(iter(index_of)) if model is None and len(index_of) == 1 else model
    if name is None or name not in list(index_of):
        what = "expected the name of one graph as model=" if name is None else f"no graph is called {name}"
        raise ConfigError(f"{path}: {what}; there are {listed(index_of)}")
    with reading(path) as packed:
        index = index_of[name]
        return name, packed.graph(index), packed.clusters(index) if packed.is_clustered else None


def _add_checksum(path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with open(path, "ab") as file:
        file.write(_CHECKSUM.format(digest).encode())


def _verify(path: Path) -> None:
    """Raises RunFolderError where a file ends with a SHA-256 that is not its own. A shard's file ends without."""
    try:
        with open(path, "rb") as file:
            file.seek(-min(_LENGTH, path.stat().st_size), 2)
            line = re.fullmatch(_CHECKSUM.format("([0-9a-f]{64})").encode(), file.read())
        if line is None or hashlib.sha256(path.read_bytes()[:-_LENGTH]).hexdigest().encode() == line[1]:
            return
    except OSError:  # which is said where the file is opened as HDF5
        return
    raise RunFolderError(
        f"{path}: its SHA-256 is not the one that it was written with: it is damaged or changed; write it anew"
    )
