"""Files that ship beside the package: job scripts and notebooks."""

from pathlib import Path

#: Where an installation has them, below its prefix (pyproject.toml, `data-files`).
_SHARE = Path("share", "stagea_mpi")


def shipped_file(folder: str, name: str) -> Path:
    """A file of the source tree's folder, or where an installation has put it.

    Whether the package is in a prefix, in a user's home or in a folder of its own (`pip install --target`), its files
    are in `share/` of one of the folders above it.

    Parameters
    ----------
    folder : str
        ``jobs`` or ``notebooks``.
    name : str

    Raises
    ------
    FileNotFoundError
        With the first place that was looked at.
    """
    package = Path(__file__).resolve().parents[1]
    places = [package.parent / folder, *(above / _SHARE / folder for above in package.parents)]
    for place in places:
        if (place / name).is_file():
            return place / name
    raise FileNotFoundError(2, f"is neither there nor in {_SHARE / folder} above it", str(places[0] / name))
