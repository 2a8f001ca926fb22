"""What a file holds: models of its own, or members of a tar or zip archive, each found without unpacking to disk.

A broken model costs only itself: each is known by the bytes at which it stands in the (unpacked) file.
"""

import io
import os
import tarfile
import zipfile
from collections import Counter
from dataclasses import dataclass, field, replace

from ..errors import ModelError
from .compression import DAMAGE, MAGIC_BYTES, codec_of
from .ensembles import HashedStream, Span, find_models, stated_names
from .formats import format_of, format_of_name, is_container_name, without_mark
from .layouts import NOWHERE, Place, kept, layout, place_of, recognised
from .model_names import FileNames, stem
from .unpacking import MAX_MODEL_BYTES, check_member_size, open_unpacked, read_range, read_whole, readable, unpacked
from .zipped import check_member, read_zip_member, zip_members

#: Bytes in which an ensemble names its models, before the first of them.
_HEAD = 64 * 1024


@dataclass(frozen=True)
class ModelRef:
    """Where one model is to be found.

    Attributes
    ----------
    path : str
        The input file.
    name : str
        The model's name, its key everywhere downstream.
    serial : int or None
        Its number in an ensemble, None in a file of one model.
    start, stop : int
        Bytes in the (unpacked) file; 0, 0 for all of it. Of a member of a zip archive, the first byte of its header.
    inside : tuple of int
        First byte and the byte behind the last in what these bytes are when unpacked (an ensemble in an archive);
        0, 0 for all.
    member : str
        The member of an archive.
    is_packed : bool
        Whether the member is compressed itself.
    is_zipped : bool
        Whether the archive is a zip archive.
    place : Place
        Where the model stands in the output of a program.
    below : int
        Characters of `path` before its path below the input folder.
    """

    path: str
    name: str
    serial: int | None = None
    start: int = 0
    stop: int = 0
    inside: tuple[int, int] = (0, 0)
    member: str = ""
    is_packed: bool = False
    is_zipped: bool = False
    place: Place = NOWHERE
    below: int = 0

    @property
    def source(self) -> str:
        """Where the model is, for messages."""
        return f"{self.path}: {self.member}" if self.member else self.path


@dataclass(frozen=True)
class FileListing:
    """What a file holds, found without parsing its atoms where the format allows it.

    Attributes
    ----------
    models : list of ModelRef
    digest : str
        SHA-256 of the file's (unpacked) bytes.
    failures : list of (ModelRef, ModelError)
        What in it cannot be used.
    text : bytes or None
        Of a file that is one model's text, where it was asked for and is no larger than a model may be.
    """

    models: list[ModelRef]
    digest: str
    failures: list[tuple[ModelRef, ModelError]] = field(default_factory=list)
    text: bytes | None = field(default=None, repr=False)


def list_models(path: str, names: str | FileNames | None = None, *, keep_text: bool = False) -> FileListing:
    """Models that a file holds.

    Parameters
    ----------
    path : str
    names : FileNames or str, optional
        What the file's models are named after instead of its stem.
    keep_text : bool
        The listing of a file that is one model's text has that text: whoever reads the model next need not open the
        file again, and reads what the digest is of.

    Raises
    ------
    ModelError
        ``unreadable``, ``no_models`` or ``too_large``.
    """
    if not isinstance(names, FileNames):
        names = FileNames.of_stem(names or stem(path))
    with readable(path), open_unpacked(path) as file:
        source = HashedStream(file, MAX_MODEL_BYTES if keep_text else 0)
        kind = format_of(path, source.peek())
        if not kind.may_be_compressed and not isinstance(file, io.BufferedReader):
            raise ModelError(
                "unreadable", f"{path}: is a {kind.name} archive, compressed once more; unpack it once", "read"
            )
        if kind.is_archive:
            listing: FileListing = kind.list_with(source, path, names)
            return listing
        spans = _counting(find_models(source, path), names.place)
        listing = FileListing([_ref(path, names, span) for span in spans], source.digest())
        is_one = len(spans) == 1 and not spans[0].stop
        return replace(listing, text=source.kept) if keep_text and is_one else listing


def _counting(spans: list[Span], place: Place) -> list[Span]:
    """Of the models in a file of a program's output those that count."""
    if not place.layout or len(spans) < 2:
        return spans
    counts = layout(place.layout).kept_inside(span.name for span in spans if span.name is not None)
    return [span for span in spans if span.name is None or counts(span.name)]


def _ref(path: str, names: FileNames, span: Span) -> ModelRef:
    return ModelRef(path, span.named(names), span.serial, span.start, span.stop, place=names.place, below=names.below)


def list_archive(source: HashedStream, path: str, names: FileNames) -> FileListing:
    """Models of a tar archive's members, found in one pass; members that are no structures by name do not count.

    Raises
    ------
    ModelError
        ``no_models``, or ``unreadable`` where not even one member is whole.
    """
    found: list[tuple[ModelRef, list[Span] | ModelError]] = []
    damage, n_members, paths = None, 0, []
    try:
        # The stubs want of every file what only a file that is written or rewound has.
        with tarfile.open(  # type: ignore[call-overload]
            fileobj=source, mode="r|", bufsize=2**20, errors="surrogateescape"
        ) as archive:
            for member in archive:
                archive.members = []  # the archive would keep them all
                n_members += 1
                paths.append(member.name)
                if _is_structure_name(member.name) and not member.isdir():
                    found.append(_list_member(archive, member, path))
                elif _is_archive_name(member.name) and member.isfile():
                    found.append(_nested(path, member.name))
    except (tarfile.TarError, EOFError, OSError, *DAMAGE) as error:
        damage = ModelError("unreadable", f"{path}: damaged behind {n_members} members: {error}", "read")
    if not found:
        raise damage or _without_models(path, n_members)
    models, failures = _named(found, names, paths)
    if damage is not None:
        failures.append((ModelRef(path, names.base, place=names.place, below=names.below), damage))
    return FileListing(models, source.digest(to_the_end=damage is None), failures)


def list_zip(source: HashedStream, path: str, names: FileNames) -> FileListing:
    """Models of a zip archive's members; members that are no structures by name do not count.

    Raises
    ------
    ModelError
        ``no_models`` or ``unreadable``.
    """
    members = zip_members(path)
    found = [
        _list_zipped(member, path) if _is_structure_name(member.filename) else _nested(path, member.filename)
        for member in members
        if _is_structure_name(member.filename) or _is_archive_name(member.filename)
    ]
    if not found:
        raise _without_models(path, len(members))
    models, failures = _named(found, names, [member.filename for member in members])
    return FileListing(models, source.digest(), failures)


def _is_structure_name(member: str) -> bool:
    """Whether a member counts; what macOS adds to an archive under the name of each file (``._x.pdb``) does not."""
    kind = format_of_name(member)
    return kind is not None and not kind.is_archive and not os.path.basename(member).startswith("._")


def _is_archive_name(member: str) -> bool:
    kind = format_of_name(member)
    return kind is not None and kind.is_archive and not os.path.basename(member).startswith("._")


def _nested(path: str, member: str) -> tuple[ModelRef, ModelError]:
    """An archive in an archive: what it holds is not looked for, and is not to be missed either."""
    what = f"{path}: {member}: is an archive in an archive; unpack it, and archive its members"
    return ModelRef(path, "", member=member), ModelError("unreadable", what, "read")


def _without_models(path: str, n_members: int) -> ModelError:
    return ModelError("no_models", f"{path}: none of {n_members} members is named as a structure", "read")


def _named(
    found: list[tuple[ModelRef, list[Span] | ModelError]], names: FileNames, paths: list[str]
) -> tuple[list[ModelRef], list[tuple[ModelRef, ModelError]]]:
    """Models and failures of an archive's members, with their names in the run.

    Where the members are the output of a program, those that are no models of it (templates, copies) do not count.
    """
    places = _places(stem(found[0][0].path), [ref.member for ref, _ in found], names, paths)
    if any(place.layout for place in places):
        kept = [k for k, place in enumerate(places) if place.layout]
        found, places = [found[k] for k in kept], [places[k] for k in kept]
    models, failures = [], []
    bases = _member_names([ref.member for ref, _ in found], [place.name for place in places])
    for (ref, result), base, place in zip(found, bases, places, strict=True):
        base, ref = names.inner(base), replace(ref, place=place, below=names.below)
        if isinstance(result, ModelError):
            failures.append((replace(ref, name=base), result))
        else:
            own = FileNames(base, f"{base}__", f"{base}_model_")
            models += [_ref_in_member(ref, span, own) for span in _counting(result, place)]
    return models, failures


def _places(archive: str, members: list[str], names: FileNames, paths: list[str]) -> list[Place]:
    """Where members stand in the output of the program that has written these paths; else, as the archive does."""
    layouts = [name for name in recognised(paths) if name in names.layouts]
    if not layouts:
        return [names.place] * len(members)
    found = [place_of(member, archive, layouts) for member in members]
    placed = [member for member, place in zip(members, found, strict=True) if place is not None]
    is_kept = kept(placed, archive, layouts)
    return [
        names.placed(place) if place is not None and is_kept(member) else names.place
        for member, place in zip(members, found, strict=True)
    ]


def _list_member(
    archive: tarfile.TarFile, member: tarfile.TarInfo, path: str
) -> tuple[ModelRef, list[Span] | ModelError]:
    where = f"{path}: {member.name}"
    ref = ModelRef(path, "", None, member.offset_data, member.offset_data + member.size, member=member.name)
    if member.name.startswith("/") or ".." in member.name.split("/"):
        return ref, ModelError("unsafe_member", f"{where}: leads out of the archive", "read")
    content = archive.extractfile(member) if member.isreg() and not member.issparse() else None
    if content is None:
        return ref, ModelError(
            "unsafe_member", f"{where}: is a link or a special file; archive the file itself", "read"
        )
    try:
        with readable(where):
            stream = HashedStream(content)
            if codec_of(stream.peek()) is not None:
                check_member_size(member.size, where)
                stream = HashedStream(io.BytesIO(unpacked(stream.read(member.size), where)))
                return replace(ref, is_packed=True), find_models(stream, where)
            return ref, find_models(stream, where)
    except ModelError as failure:
        return ref, failure


def _list_zipped(member: zipfile.ZipInfo, path: str) -> tuple[ModelRef, list[Span] | ModelError]:
    where = f"{path}: {member.filename}"
    ref = ModelRef(path, "", None, member.header_offset, member=member.filename, is_zipped=True)
    try:
        with readable(where):
            check_member(member, where)
            content = read_zip_member(path, member.header_offset, where)
            is_packed = codec_of(content[:MAGIC_BYTES]) is not None
            stream = HashedStream(io.BytesIO(unpacked(content, where)))
            return replace(ref, is_packed=is_packed), find_models(stream, where)
    except ModelError as failure:
        return ref, failure


def text_of(ref: ModelRef) -> bytes:
    """A model's text.

    Raises
    ------
    ModelError
        ``too_large``.
    """
    if ref.is_zipped:
        content = read_zip_member(ref.path, ref.start, ref.source)
    else:
        content = read_range(ref.path, ref.start, ref.stop) if ref.stop else read_whole(ref.path)
    if ref.is_packed:
        content = unpacked(content, ref.source)
    if ref.inside[1]:
        content = content[slice(*ref.inside)]
    return without_mark(content)


def _ref_in_member(member: ModelRef, span: Span, names: FileNames) -> ModelRef:
    ref = replace(member, name=span.named(names), serial=span.serial)
    if not span.stop:
        return ref
    if member.is_packed or member.is_zipped:
        return replace(ref, inside=(span.start, span.stop))
    return replace(ref, start=member.start + span.start, stop=member.start + span.stop)


def _member_names(members: list[str], stated: list[str]) -> list[str]:
    """What a layout calls members, or their stems; their paths where several would have one name."""
    own = [name or stem(member) for member, name in zip(members, stated, strict=True)]
    counts = Counter(own)
    return [name if counts[name] == 1 else member.replace("/", "__") for member, name in zip(members, own, strict=True)]


def inner_names(path: str, layouts: tuple[str, ...] = ()) -> list[str]:
    """Names that stand in a container, for the decision whether they are unique in a run.

    None in a file that cannot be read, and of an ensemble those that stand in its first bytes.
    """
    try:
        if not is_container_name(path):
            with readable(path), open_unpacked(path) as file:
                head = file.read(_HEAD)
            return stated_names(head)
        return [ref.name for ref in list_models(path, FileNames("", "", "", layouts=layouts)).models]
    except (ModelError, OSError):  # reported when its shard reads it
        return []
