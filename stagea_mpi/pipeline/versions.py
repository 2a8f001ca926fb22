"""Versions of everything that computes."""

import platform
import re

from .. import __version__

_PACKAGES = ("numpy", "h5py", "mpi4py", "gemmi", "anarci", "pyhmmer")


_known: dict[str, str] = {}


def versions() -> dict[str, str]:
    """Name → version, "missing" for what is not installed."""
    if not _known:
        _known.update(_look_up())
    return dict(_known)


def take_versions(found: dict[str, str]) -> None:
    """Lets `versions` give what the first rank has found, so that not every process looks."""
    _known.update(found)


def _look_up() -> dict[str, str]:
    found = {"stagea_mpi": __version__, "python": platform.python_version()}
    return found | {package: _package_version(package) for package in _PACKAGES}


def _package_version(package: str) -> str:
    """As `metadata.version` has it, which parses all that is said of a package as an e-mail."""
    from importlib import metadata  # which takes long to load, and the first rank alone needs it

    try:
        head, _, _ = (metadata.distribution(package).read_text("METADATA") or "").partition("\n\n")
        found = re.search(r"^Version: *(\S+) *$", head, re.MULTILINE)
        return found[1] if found else metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def numbering_versions() -> str:
    """Versions that a numbering depends on, as one text."""
    return " ".join(f"{name}={versions()[name]}" for name in ("anarci", "pyhmmer"))
