"""The formats of input files, one row each: by what a file is recognised, how its models are listed, how one is read.

A format's functions are in modules that need this table themselves, so its row names them, and they are loaded when a
file of it comes. What a text's bytes are compressed by is no format (`compression`).
"""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: A file's first bytes by which its format is told.
HEAD_BYTES = 4096
_COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
#: With which editors of Windows begin a text in UTF-8.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DATA_BLOCK = re.compile(rb"\A\s*(#[^\n]*\n\s*)*data_", re.IGNORECASE)
_PDB_LINE = re.compile(rb"^(ATOM  |HETATM|HEADER|REMARK|CRYST1|MODEL )", re.MULTILINE)


@dataclass(frozen=True)
class Format:
    """A format. Functions are named as ``module:function``, a module of this folder with a dot before it.

    Attributes
    ----------
    name : str
        As messages have it.
    endings : tuple of str
        Of names, in small letters.
    begins : callable
        Whether the first `HEAD_BYTES` of an unpacked content are those of no other format, whatever the file is called.
    models : str
        Of a format of text: from a `HashedStream`, the path and the first bytes to a list of `Span`
        (`ensembles.find_models`). Of an archive: from the stream, the path and a `FileNames` to a `FileListing`
        (`containers.list_models`).
    atoms : str
        From one model's text and its serial number or None to a list of `ModelPart` (`model_parts`). Empty for an
        archive, whose members are of the other formats.
    skeleton : str
        From one model's text to its `skeletons.Skeleton`, or None where it has none. Empty where no text has one.
    names_models : bool
        Whether models have names of their own in it.
    gives_way : bool
        Whether a file with such an ending that begins like PDB is PDB.
    may_be_compressed : bool
    """

    name: str
    endings: tuple[str, ...]
    begins: Callable[[bytes], bool]
    models: str
    atoms: str = ""
    skeleton: str = ""
    names_models: bool = False
    gives_way: bool = False
    may_be_compressed: bool = True

    @property
    def is_archive(self) -> bool:
        return not self.atoms

    def list_with(self, *arguments: Any) -> Any:
        """Calls `models`."""
        return _function(self.models)(*arguments)

    def read_with(self, *arguments: Any) -> Any:
        """Calls `atoms`."""
        return _function(self.atoms)(*arguments)

    def skeleton_with(self, *arguments: Any) -> Any:
        """Calls `skeleton`."""
        return _function(self.skeleton)(*arguments)


def _function(reference: str) -> Callable[..., Any]:
    module, name = reference.split(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module, __package__), name)
    return function


def _begins_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def _begins_quiver(head: bytes) -> bool:
    return head.lstrip(b"\n").startswith((b"QV_TAG", b"QV_SCORE")) or b"\nQV_TAG " in head


#: All formats, in the order in which a content is tried for them. Texts of which nothing is known are of the last.
FORMATS = (
    Format(
        "tar", (".tar", ".tgz", ".tbz2", ".tbz", ".txz", ".tzst"), lambda head: head[257:262] == b"ustar",
        models=".containers:list_archive", names_models=True,
    ),
    Format(
        "zip", (".zip",), _begins_zip,
        models=".containers:list_zip", names_models=True, gives_way=True, may_be_compressed=False,
    ),
    Format(
        "Quiver", (".qv",), _begins_quiver,
        models=".ensembles:models_of_quiver", atoms=".model_parts:parts_of_pdb", skeleton=".skeletons:skeleton_of_pdb",
        names_models=True,
    ),
    Format(
        "mmCIF", (".cif", ".mmcif"), lambda head: _DATA_BLOCK.match(head) is not None,
        models=".ensembles:models_of_mmcif", atoms=".model_parts:parts_of_mmcif",
        skeleton=".skeletons:skeleton_of_mmcif", gives_way=True,
    ),
    Format(
        "PDB", (".pdb", ".ent", ".pdb1"), lambda head: False,  # other texts have lines of it, too
        models=".ensembles:models_of_pdb", atoms=".model_parts:parts_of_pdb", skeleton=".skeletons:skeleton_of_pdb",
    ),
)  # fmt: skip
#: By ending.
_ENDINGS = {ending: kind for kind in FORMATS for ending in kind.endings}


def expected() -> str:
    """What a file can be, for messages."""
    texts, archives = ([kind.name for kind in FORMATS if kind.is_archive == wanted] for wanted in (False, True))
    return f"{', '.join(reversed(texts))}, or a {' or '.join(archives)} archive"


def without_mark(text: bytes) -> bytes:
    """A text in which line breaks stand for the byte order mark: the first line begins where a line begins."""
    return b"\n\n\n" + text[3:] if text.startswith(_BYTE_ORDER_MARK) else text


def _parts(name: str) -> tuple[str, str, str, Format | None]:
    """A name as what is left of it, a known format's ending, and a compression's; and that format."""
    # Every ending begins with a point and has no other. A million names are asked for theirs several times.
    packed, point = "", name.rfind(".")
    if point >= 0 and name[point:].lower() in _COMPRESSED:
        name, packed = name[:point], name[point:]
        point = name.rfind(".")
    kind = _ENDINGS.get(name[point:].lower()) if point >= 0 else None
    return (name, "", packed, None) if kind is None else (name[:point], name[point:], packed, kind)


def without_format(name: str) -> str:
    """A name without a compression's ending (such as .gz) and without a known format's."""
    return _parts(name)[0]


def ending_of(name: str) -> str:
    """The ending by which a name's format is known, with its compression's; empty where it is of none."""
    _, ending, packed, _ = _parts(name)
    return ending + packed if ending else ""


def format_of_name(name: str) -> Format | None:
    """The format by a name's ending, None where it is of none."""
    return _parts(name)[3]


def is_container_name(name: str) -> bool:
    """Whether a file of this name holds models under names of their own."""
    kind = format_of_name(name)
    return kind is not None and kind.names_models


def is_archive_name(name: str) -> bool:
    """Whether a file of this name is an archive of files."""
    kind = format_of_name(name)
    return kind is not None and kind.is_archive


def format_of(name: str, head: bytes) -> Format:
    """A file's format; the first bytes decide, and where they fit several formats its name.

    Parameters
    ----------
    name : str
    head : bytes
        The first `HEAD_BYTES` of the unpacked content.
    """
    certain = next((kind for kind in FORMATS if kind.begins(head)), None)
    if certain is not None:
        return certain
    kind = format_of_name(name) or FORMATS[-1]
    return FORMATS[-1] if kind.gives_way and _PDB_LINE.search(head) else kind


def text_format_of(name: str, head: bytes) -> Format:
    """As `format_of`, of what is known to be no archive."""
    kind = format_of(name, head)
    return FORMATS[-1] if kind.is_archive else kind
