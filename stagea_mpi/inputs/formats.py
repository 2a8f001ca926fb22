"""Formats of input files, told by the name's ending and, where the content says otherwise, by the content."""

import re

PDB, MMCIF, TAR, QUIVER = "PDB", "mmCIF", "tar", "Quiver"

_ENDINGS = {
    ".pdb": PDB, ".ent": PDB, ".pdb1": PDB, ".cif": MMCIF, ".mmcif": MMCIF, ".qv": QUIVER, ".tar": TAR, ".tgz": TAR,
}  # fmt: skip

#: A file's first bytes by which its format is told.
HEAD_BYTES = 4096
_DATA_BLOCK = re.compile(rb"\A\s*(#[^\n]*\n\s*)*data_", re.IGNORECASE)


def without_format(name: str) -> str:
    """A name without .gz and without a known format's ending."""
    bare = name[:-3] if name.lower().endswith(".gz") else name
    for ending in _ENDINGS:
        if bare.lower().endswith(ending):
            return bare[: -len(ending)]
    return bare


def format_of_name(name: str) -> str | None:
    """`PDB`, `MMCIF`, `TAR`, `QUIVER`, or None where the ending is of none of these."""
    name = name.lower().removesuffix(".gz")
    return next((kind for ending, kind in _ENDINGS.items() if name.endswith(ending)), None)


def is_container_name(name: str) -> bool:
    """Whether a file of this name holds models under names of their own."""
    return format_of_name(name) in (TAR, QUIVER)


def format_of(name: str, head: bytes) -> str:
    """A file's format; the first bytes decide, and where they fit several formats its name.

    Parameters
    ----------
    name : str
    head : bytes
        The first `HEAD_BYTES` of the unpacked content.
    """
    if head[257:262] == b"ustar":
        return TAR
    if head.startswith((b"QV_TAG", b"QV_SCORE")) or b"\nQV_TAG " in head:
        return QUIVER
    if _DATA_BLOCK.match(head):
        return MMCIF
    kind = format_of_name(name) or PDB
    if kind == MMCIF and re.search(rb"^(ATOM  |HETATM|HEADER|REMARK|CRYST1|MODEL )", head, re.MULTILINE):
        return PDB
    return kind
