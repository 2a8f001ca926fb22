"""What a file is that is no structure, called by its name: recognised by first bytes, as `file` does."""

import re
from collections.abc import Iterable

from .compression import codec_of

#: First bytes, and what begins with them. Files whose first bytes are text are in `_TEXTS`.
_MAGICS = (
    (b"\x1f\x9d", "compressed by compress (.Z)"),
    (b"\x1f\xa0", "compressed by compress (.Z)"),
    (b"\x04\x22\x4d\x18", "compressed by lz4"),
    (b"\x02\x21\x4c\x18", "compressed by lz4"),
    (b"LZIP", "compressed by lzip"),
    (b"\x5d\x00\x00", "compressed by lzma (.lzma)"),
    (b"\xff\x06\x00\x00sNaPpY", "compressed by snappy"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"!<arch>\n", "an archive of ar"),
    (b"070701", "an archive of cpio"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"CDF\x01", "a NetCDF file"),
    (b"CDF\x02", "a NetCDF file"),
    (b"\x93NUMPY", "an array of NumPy (.npy)"),
    (b"PAR1", "a Parquet table"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"{\\rtf", "an RTF document"),
    (b"\xd0\xcf\x11\xe0", "a document of Microsoft Office"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"\x7fELF", "a program"),
    (b"\x00\x05\x16\x07", "the notes that macOS keeps beside a file (._name)"),
    (b"\x00\x05\x16\x00", "the notes that macOS keeps beside a file (._name)"),
    (b"\x00\x00\x07\xcb", "a GROMACS trajectory (.xtc)"),
    (b"\x00\x00\x07\xc9", "a GROMACS trajectory (.trr)"),
    (b"version https://git-lfs", "a pointer of Git LFS, without the file itself (run `git lfs pull`)"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)
#: Patterns of first bytes, and what has them. They stand in no structure's first bytes.
_FIRST_BYTES = (
    (re.compile(rb"\s*\{\s*s_m_m2io_version"), "a Maestro file (.mae)"),
    (re.compile(rb"\}q\x00|\(dp\d"), "a pickle of Python"),
    (re.compile(rb"\s*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE), "a page of HTML (a download that failed?)"),
    (re.compile(rb"\s*<(\?xml|[A-Za-z][\w:-]*[\s>])"), "XML"),
    (re.compile(rb"\x80[\x02-\x05][\x80-\xffc(\]}K-X]"), "a pickle of Python"),
    (re.compile(rb"[\x81-\x8f\xde\xdf].*mmtfVersion", re.DOTALL), "MMTF"),
    (re.compile(rb"[\x81-\x8f\xde\xdf].*(encoder|dataBlocks)", re.DOTALL), "BinaryCIF (.bcif)"),
    (re.compile(rb".{4}(CORD|VELD)", re.DOTALL), "a trajectory (.dcd)"),
    (re.compile(rb"(.\0){16}|(\0.){16}"), "text in UTF-16"),
    (re.compile(rb"\s*[{\[]\s*([\"{}\[\]]|-?\d|$)"), "JSON"),
)
#: Formats of text without a line that begins with ATOM.
_TEXTS = (
    (re.compile(rb"(\s*#[^\n]*\n|\s*\n)*@<TRIPOS>"), "MOL2"),
    (re.compile(rb"[^\n]*\n *\d+( +[\d.E+-]+)?\s*\n( *-?\d+\.\d{7}){3,6}"), "AMBER coordinates (.inpcrd, .rst7)"),
    (re.compile(rb"TITLE\s*\n(.|\n)*?\nPOSITION"), "GROMOS coordinates (.g96)"),
    (re.compile(rb"SEQUENCE:|SCORE:"), "a Rosetta silent file"),
    (re.compile(rb"[^\n]*\n[^\n]*\n[^\n]*\n[^\n]*V[23]000"), "an MDL molecule (.mol, .sdf)"),
    (re.compile(rb"[^\n]*\n *\d+ *\r?\n *-?\d+[^\n]{5,6} *[A-Za-z]"), "a GROMACS structure (.gro)"),
    (re.compile(rb" *\d+ *\r?\n[^\n]*\n *[A-Z][a-z]?\d* +-?\d+\.\d+ +-?\d"), "XYZ"),
    (re.compile(rb"%VERSION"), "an AMBER topology"),
    (re.compile(rb"(\s*\*[^\n]*\n)+ *\d+"), "CHARMM coordinates (.crd)"),
    (re.compile(rb"PSF\b"), "a topology (.psf)"),
    (re.compile(rb">[^\n]*\n[A-Za-z*\s-]+"), "sequences (FASTA)"),
    (re.compile(rb"#!"), "a script"),
    (re.compile(rb"data_|loop_|_\w+\."), "mmCIF"),
)


def foreign_format(head: bytes) -> str | None:
    """What a content is that cannot be a structure, whatever follows: ``a PDF document``; None for all else.

    Parameters
    ----------
    head : bytes
        The first bytes of the unpacked content.
    """
    if head and not head.strip(b"\0"):
        return "nothing but zeros (a copy that failed?)"
    codec = codec_of(head)
    if codec is not None:
        return f"compressed twice, inside by {codec.name}"
    if head[257:262] == b"ustar":
        return "a tar archive"
    magic = next((name for first, name in _MAGICS if head.startswith(first)), None)
    return magic or _matching(_FIRST_BYTES, head)


def foreign_text(head: bytes) -> str | None:
    """What a content without a line of atoms seems to be, None where that is not known."""
    return _matching(_TEXTS, head.lstrip(b"\xef\xbb\xbf \r\n"))


def _matching(patterns: Iterable[tuple[re.Pattern[bytes], str]], head: bytes) -> str | None:
    return next((name for pattern, name in patterns if pattern.match(head)), None)
