"""HDF5 files that one rank makes in memory and then writes in one go.

On a full disk HDF5 loses its balance when it closes a file that it could not write, and may take the process with it.
Plain writing says what is wrong. These files are some tens of MB.
"""

import io
import shutil
from pathlib import Path
from typing import Any

import h5py

from ..errors import StorageError

#: What HDF5 and the file system may need beside the data.
_OVERHEAD = 2**18


class MemoryFile(h5py.File):
    """A new HDF5 file, open for writing, in memory.

    Parameters
    ----------
    **options
        Of `h5py.File`.
    """

    def __init__(self, **options: Any):
        self._content = io.BytesIO()
        super().__init__(self._content, "w", **options)

    def close_to(self, path: str | Path) -> int:
        """Closes it and writes it to disk; its size in bytes.

        Raises
        ------
        StorageError
        """
        self.close()
        try:
            with open(path, "wb") as file:
                file.write(self._content.getbuffer())
        except OSError as error:
            raise StorageError.of(error, path) from error
        return self._content.getbuffer().nbytes


def check_space(path: str | Path, n_bytes: int) -> None:
    """Raises StorageError where the file system has no room for so many bytes more.

    Parallel HDF5 reports that a write failed, but not that the disk is full.
    """
    free = shutil.disk_usage(Path(path).parent).free
    if free < n_bytes + _OVERHEAD:
        raise StorageError(
            f"{path}: needs {n_bytes} bytes, and {free} are free on its file system; "
            "make room and run the same command again"
        )
