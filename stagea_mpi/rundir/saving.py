"""Files that Python's users name, outside any run."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..config.paths import given
from ..errors import StorageError
from .folders import publish


@contextlib.contextmanager
def saving(path: str | Path) -> Iterator[Path]:
    """Gives a name to write to, which becomes the named file's when the block ends well: until then that stays.

    Parameters
    ----------
    path : path

    Raises
    ------
    ConfigError
        It is no path, or a variable in it is not set.
    StorageError
        It cannot be written.
    """
    final = Path(given(path, "path"))
    try:
        with publish(final) as draft:
            yield draft
    except OSError as error:
        raise StorageError.of(error, final) from error
