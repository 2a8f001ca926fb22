"""Groups and datasets of a new HDF5 file by calls of HDF5 itself, for files with many of them.

h5py makes property lists and types for each anew and asks the file for every group on the way, which takes longer than
the writing. The bytes are those that its `create_group` and `create_dataset` would write.
"""

import numpy as np
from h5py import h5d, h5g, h5p, h5s, h5t


class NewDatasets:
    """Makes groups and datasets with the properties that h5py gives them."""

    def __init__(self) -> None:
        self._link, self._group = h5p.create(h5p.LINK_CREATE), h5p.create(h5p.GROUP_CREATE)
        self._link.set_create_intermediate_group(True)
        self._group.set_obj_track_times(False)
        self._plain = _dataset_properties()
        self._types: dict[np.dtype, h5t.TypeID] = {}
        self._spaces: dict[int, h5s.SpaceID] = {}

    def group(self, parent: h5g.GroupID, path: str) -> h5g.GroupID:
        """A new group, with those above it."""
        self._link.set_char_encoding(h5t.CSET_ASCII if path.isascii() else h5t.CSET_UTF8)
        return h5g.create(parent, path.encode(), lcpl=self._link, gcpl=self._group)

    def datasets(self, parent: h5g.GroupID, values: dict[str, np.ndarray]) -> None:
        """New datasets by their paths."""
        groups = {"": parent}
        for path, data in values.items():
            above, _, name = path.rpartition("/")
            if above not in groups:
                groups[above] = self.group(parent, above)
            self._create(groups[above], name, data, self._plain)

    def compressed(self, parent: h5g.GroupID, name: str, data: np.ndarray, chunk_rows: int) -> h5d.DatasetID:
        """A new dataset in chunks of so many rows, shuffled and compressed a little."""
        chunks = (min(len(data), chunk_rows), *data.shape[1:])
        return self._create(parent, name, data, _dataset_properties(chunks))

    def plain(self, parent: h5g.GroupID, name: str, data: np.ndarray) -> h5d.DatasetID:
        """A new dataset in one piece."""
        return self._create(parent, name, data, self._plain)

    def _create(self, parent: h5g.GroupID, name: str, data: np.ndarray, properties: h5p.PropDCID) -> h5d.DatasetID:
        kind = self._types.get(data.dtype)
        if kind is None:
            kind = self._types[data.dtype] = h5t.py_create(data.dtype, logical=True)
        space = self._spaces.get(data.ndim)
        if space is None:
            space = self._spaces[data.ndim] = h5s.create_simple(data.shape)
        space.set_extent_simple(data.shape)  # which takes less time than a new one; a dataset keeps a copy
        dataset = h5d.create(parent, name.encode(), kind, space, dcpl=properties)
        dataset.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(data), kind)
        return dataset


def _dataset_properties(chunks: tuple[int, ...] | None = None) -> h5p.PropDCID:
    properties = h5p.create(h5p.DATASET_CREATE)
    if chunks is not None:
        properties.set_chunk(chunks)
        properties.set_shuffle()
        properties.set_deflate(1)
    properties.set_obj_track_times(False)
    return properties
