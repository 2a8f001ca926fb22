"""Records of a shard's published files: size and SHA-256 of each, in the shard's metadata.

The metadata vouch for the files at every moment: they are written before the files get their final names, and while
several files are replaced they also say, under ``replaced``, what each of them was before.
"""

import hashlib
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .checksums import hash_of
from .folders import GRAPHS_DONE, ShardFolder, write_together
from .shard_meta import ShardMeta

_CHUNK = 2**20


def input_hash(sources: Sequence[str], names: Sequence[str], digests: Sequence[str]) -> str:
    """What a shard's graphs were made from: of every model the file, the name and the hash of the file's content."""
    return hash_of(list(zip(sources, names, digests, strict=True)))


def record(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}


def record_of(content: bytes) -> dict[str, Any]:
    """The record of a file that holds these bytes."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def published_files(shard: ShardFolder) -> tuple[Path, ...]:
    """The files of which the metadata can have records."""
    return shard.packed, shard.graphs, shard.manifest, shard.failures


def recorded_files(shard: ShardFolder, meta: ShardMeta) -> tuple[Path, ...]:
    """The files of which the metadata have to have records: all, but for a graphs.h5 that was not to be written.

    One that is there all the same is among them: nothing vouches for it.
    """
    lacking = {shard.graphs} if meta.is_without_graphs and not shard.graphs.exists() else set()
    return tuple(path for path in published_files(shard) if path not in lacking)


def mismatch(path: Path, meta: ShardMeta, *, sizes_only: bool = False) -> str | None:
    """What is wrong with a published file, by its record; None where nothing is.

    Parameters
    ----------
    path : Path
    meta : ShardMeta
        The shard's metadata.
    sizes_only : bool
        Compare sizes alone, which costs no reading.
    """
    expected, replaced = meta.files.get(path.name), meta.replaced or {}
    if not isinstance(expected, dict):
        return f"{path}: has no record in the metadata"
    return _unlike(path, [expected] + ([replaced[path.name]] if path.name in replaced else []), sizes_only=sizes_only)


def _unlike(path: Path, allowed: list[dict[str, Any] | None], *, sizes_only: bool = False) -> str | None:
    """In what a file is like none of some records, of which None is that of no file; messages are of the first."""
    expected = allowed[0] or {}
    try:
        size = path.stat().st_size
        if all(known is None or known.get("bytes") != size for known in allowed):
            return f"{path}: has {size} bytes, recorded are {expected.get('bytes')}"
        found = {"bytes": size} if sizes_only else record(path)
    except FileNotFoundError:
        return None if None in allowed else f"{path}: is missing"
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"
    if any(known is not None and found.items() <= known.items() for known in allowed):
        return None
    return f"{path}: its SHA-256 is {found['sha256']}, recorded is {expected.get('sha256')}: its content has changed"


def publish_together(shard: ShardFolder, meta: ShardMeta, drafts: dict[Path, Path]) -> None:
    """Gives several files of a shard their final names and notes their records in `meta`, which the caller then writes.

    Parameters
    ----------
    shard : ShardFolder
    meta : ShardMeta
        Its `files` are brought up to date.
    drafts : dict
        By final path, where the content is.
    """
    before = _as_found(shard, meta, {path.name for path in drafts})
    after = {**before, **{path.name: record(draft) for path, draft in drafts.items()}}
    known = meta.replaced or {}  # an earlier start that was interrupted here has left one of two states
    replaced = {path.name: known.get(path.name, before.get(path.name)) for path in drafts}
    for name in known.keys() & replaced.keys():
        if isinstance(before.get(name), dict) and _unlike(shard.path / name, [before[name]]) is None:
            replaced[name] = before[name]
    vouching = shard.meta, replace(meta, files=after, replaced=replaced).as_bytes()
    if shard.has(GRAPHS_DONE):  # then it must not be the other way round on any disk, should the power fail
        write_together([vouching])
        write_together(drafts.items())
    else:
        write_together([vouching, *drafts.items()])
    meta.files, meta.replaced = after, None


def _as_found(shard: ShardFolder, meta: ShardMeta, replaced: Container[str]) -> dict[str, Any]:
    """Records of the files, where an earlier start was interrupted that was to replace some which this one leaves: each
    is then what it was to be, or what it was before.
    """
    files = dict(meta.files)
    for name, earlier in (meta.replaced or {}).items():
        if name not in replaced and _unlike(shard.path / name, [files.get(name)]) is not None:
            files[name] = earlier
    return {name: known for name, known in files.items() if known is not None}


def unpublish(shard: ShardFolder) -> None:
    """Removes what is published of a shard, markers first, then what vouches for the files, then these.

    Whoever gives new files their names flushes the folder.
    """
    shard.unmark()
    for path in (shard.meta, *published_files(shard)):
        path.unlink(missing_ok=True)
