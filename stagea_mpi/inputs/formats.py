"""Formats of input files, recognised by the name's ending and, where the content says otherwise, by the content."""

import re

PDB, MMCIF, TAR, ZIP, QUIVER = "PDB", "mmCIF", "tar", "zip", "Quiver"
#: Formats that hold members with names of their own.
ARCHIVES = (TAR, ZIP)

_ENDINGS = {
    ".pdb": PDB, ".ent": PDB, ".pdb1": PDB, ".cif": MMCIF, ".mmcif": MMCIF, ".qv": QUIVER, ".tar": TAR, ".zip": ZIP,
    ".tgz": TAR, ".tbz2": TAR, ".tbz": TAR, ".txz": TAR, ".tzst": TAR,
}  # fmt: skip
_COMPRESSED = (".gz", ".zst", ".bz2", ".xz")

#: A file's first bytes by which its format is recognised.
HEAD_BYTES = 4096
#: With which editors of Windows begin a text in UTF-8.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DATA_BLOCK = re.compile(rb"\A\s*(#[^\n]*\n\s*)*data_", re.IGNORECASE)
_PDB_LINE = re.compile(rb"^(ATOM  |HETATM|HEADER|REMARK|CRYST1|MODEL )", re.MULTILINE)


def without_mark(text: bytes) -> bytes:
    """A text in which line breaks stand for the byte order mark: the first line begins where a line begins."""
    return b"\n\n\n" + text[3:] if text.startswith(_BYTE_ORDER_MARK) else text


def _parts(name: str) -> tuple[str, str, str]:
    """A name as what is left of it, a known format's ending, and a compression's."""
    lower = name.lower()
    packed = next((ending for ending in _COMPRESSED if lower.endswith(ending)), "")
    bare = name[: len(name) - len(packed)]
    ending = next((ending for ending in _ENDINGS if bare.lower().endswith(ending)), "")
    end = len(bare) - len(ending)
    return bare[:end], bare[end:], name[len(bare) :]


def without_format(name: str) -> str:
    """A name without a compression's ending (such as .gz) and without a known format's."""
    return _parts(name)[0]


def ending_of(name: str) -> str:
    """The ending by which a name's format is known, with its compression's; empty where it is of none."""
    _, ending, packed = _parts(name)
    return ending + packed if ending else ""


def format_of_name(name: str) -> str | None:
    """`PDB`, `MMCIF`, `TAR`, `ZIP`, `QUIVER`, or None where the ending is of none of these."""
    return _ENDINGS.get(_parts(name)[1].lower())


def is_container_name(name: str) -> bool:
    """Whether a file of this name holds models under names of their own."""
    return format_of_name(name) in (*ARCHIVES, QUIVER)


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
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZIP
    if head.lstrip(b"\n").startswith((b"QV_TAG", b"QV_SCORE")) or b"\nQV_TAG " in head:
        return QUIVER
    if _DATA_BLOCK.match(head):
        return MMCIF
    kind = format_of_name(name) or PDB
    if kind in (MMCIF, ZIP) and _PDB_LINE.search(head):
        return PDB
    return kind
