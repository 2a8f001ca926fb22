"""packed.h5, written anew by one rank: with clusters in it, or with other targets; compressed."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
from h5py import h5a, h5d, h5g

from .memory import MemoryFile
from .new_datasets import NewDatasets
from .packed_reader import PackedFile
from .schema import CLUSTERS, POINTERS, REFERENCE_HASH, SCORE_TABLE, TARGET_TABLE, TARGETS

#: Columns of so many bytes are compressed, in chunks of so many rows.
_COMPRESS_FROM = 1024
_CHUNK_ROWS = 16384

#: What `CLUSTERS` hold.
_Labels = tuple[np.ndarray, np.ndarray, np.ndarray]


def write_clustered(source: PackedFile, path: str | Path, clusters: dict[int, tuple[np.ndarray, np.ndarray]]) -> int:
    """Writes a packed.h5 anew with clusters in it.

    Parameters
    ----------
    source : PackedFile
        One without.
    path : str or Path
        A new file.
    clusters : dict
        Labels of depth 0 and 1 by model index.

    Returns
    -------
    size : int
        Bytes written.
    """
    ordered = [clusters.get(index) for index in range(source.n_models)]
    empty = np.zeros(0, dtype=np.int32)
    labels = [
        np.concatenate([empty, *(c[depth] for c in ordered if c is not None)]).astype(np.int32) for depth in (0, 1)
    ]
    lengths = [0 if c is None else len(c[1]) for c in ordered]
    pointer = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return _write(source, path, source.raw_attributes, source.targets, (labels[0], labels[1], pointer))


def write_targets(source: PackedFile, path: str | Path, targets: Mapping[str, np.ndarray], reference_hash: str) -> int:
    """Writes a packed.h5 anew with other targets in it, or its first ones.

    Parameters
    ----------
    source : PackedFile
    path : str or Path
        A new file.
    targets : mapping of str to ndarray, shape=(models,)
        By names of `schema.TARGETS`.
    reference_hash : str
        Of what decides them.

    Returns
    -------
    size : int
        Bytes written.
    """
    attributes = {**source.raw_attributes, REFERENCE_HASH: np.bytes_(reference_hash.encode())}
    labels = None
    if source.is_clustered:
        labels = source.column(CLUSTERS[0]), source.column(CLUSTERS[1]), source.column(CLUSTERS[2])
    return _write(source, path, attributes, targets, labels)


def _write(
    source: PackedFile, path: str | Path, attributes: dict, targets: Mapping[str, np.ndarray], labels: _Labels | None
) -> int:
    new = NewDatasets()
    # As HDF5 1.10 and all later ones read it, whichever writes; the overhead is a tenth of that of the earliest form.
    with MemoryFile(libver=("v110", "v110")) as file:
        for key in sorted(attributes):
            file.attrs[key] = attributes[key]
        for table in ("model", *POINTERS):
            group = new.group(file.id, table)
            for name in source.columns(table):
                if f"{table}/{name}" in CLUSTERS:
                    continue
                dataset = source.dataset(f"{table}/{name}")
                copy = _new_column(new, group, name, dataset[()])
                if h5a.get_num_attrs(dataset.id):
                    h5py.Dataset(copy).attrs.update(dataset.attrs)
        if source.scores:
            group = new.group(file.id, SCORE_TABLE)
            for name in source.scores:
                _new_column(new, group, name, source.column(f"{SCORE_TABLE}/{name}"))
        if targets:
            _write_targets(new, new.group(file.id, TARGET_TABLE), targets)
        if labels is not None:
            groups = [new.group(file.id, "cluster")] * 2 + [h5g.open(file.id, b"model")]
            for group, column, values in zip(groups, CLUSTERS, labels, strict=True):
                _new_column(new, group, column.partition("/")[2], values)
        return file.close_to(path)


def _write_targets(new: NewDatasets, group: h5g.GroupID, targets: Mapping[str, np.ndarray]) -> None:
    for column in TARGETS:
        copy = _new_column(new, group, column.name, np.asarray(targets[column.name], dtype=column.dtype))
        if column.unit:
            h5py.Dataset(copy).attrs["unit"] = np.bytes_(column.unit.encode())


def _new_column(new: NewDatasets, table: h5g.GroupID, name: str, data: np.ndarray) -> h5d.DatasetID:
    """A column of one rank's file; small ones are not worth a chunk's overhead."""
    if data.nbytes < _COMPRESS_FROM:
        return new.plain(table, name, data)
    return new.compressed(table, name, data, _CHUNK_ROWS)
