"""The run folder: where things are, and how they come to be there whole.

A file gets its final name only when it is complete and on disk. Markers are files, too, and come last.
"""

import contextlib
import csv
import datetime
import gzip
import io
import itertools
import json
import os
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import system
from ..errors import RunFolderError, escape_unprintable
from .checksums import checksummed_text, verified_text

GRAPHS_DONE = "STAGEA_GRAPHS_DONE"
DONE = "STAGEA_DONE"

#: Ending of files that are being written.
_DRAFT = ".tmp"
#: What it was before 0.2.0.
_EARLIER_DRAFT = ".part"
#: Files that are held open until all of them are written.
_OPEN_AT_ONCE = 200
#: Of these so many are flushed at once.
_FLUSHES_AT_ONCE = 16


@dataclass(frozen=True)
class ShardFolder:
    """The output folder of one shard and the list of its inputs."""

    index: int
    path: Path
    list_path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def packed(self) -> Path:
        return self.path / "packed.h5"

    @property
    def graphs(self) -> Path:
        return self.path / "graphs.h5"

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.tsv.gz"

    @property
    def failures(self) -> Path:
        return self.path / "failures.tsv"

    @property
    def meta(self) -> Path:
        return self.path / "meta_stageA.json"

    @property
    def progress(self) -> Path:
        return self.path / "progress.json"

    @property
    def published(self) -> set[str]:
        """Names of what can be published of a shard."""
        files = (self.packed, self.graphs, self.manifest, self.failures, self.meta)
        return {GRAPHS_DONE, DONE, *(path.name for path in files)}

    def has(self, marker: str) -> bool:
        return (self.path / marker).is_file()

    def marks(self, *markers: str) -> list[tuple[Path, bytes]]:
        """Paths of markers and what they hold, for `write_together`."""
        content = checksummed_text(f"{now()} {self.name}\n").encode()
        return [(self.path / marker, content) for marker in markers]

    def is_marker_whole(self, marker: str) -> bool:
        """Whether a marker that is there is this shard's, as it was written."""
        text = verified_text((self.path / marker).read_text(encoding="utf-8", errors="replace"))
        return text is not None and text.split()[1:] == [self.name]

    def unmark(self) -> None:
        """Takes the markers away before what they vouch for is replaced."""
        marked = [self.path / marker for marker in (DONE, GRAPHS_DONE) if self.has(marker)]
        for marker in marked:
            marker.unlink(missing_ok=True)
        if marked:
            flush_to_disk(self.path)

    def inputs(self) -> list[str]:
        """Paths of the shard's input files.

        Raises
        ------
        RunFolderError
            The list is missing or cannot be read.
        """
        try:
            text = self.list_path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise RunFolderError(
                f"{self.list_path}: cannot be read: {error.strerror}; after "
                f"`python -m stagea_mpi verify {self.path.parents[1]} --repair` the next run writes the lists anew"
            ) from error
        return text.removesuffix("\n").split("\n") if text else []  # splitlines() knows line breaks that names may have

    def drafts(self) -> list[Path]:
        """What is half written there, by a run that is at it or has been killed."""
        return _drafts_in(self.path)

    def remove_drafts(self) -> set[str]:
        """Removes what a killed run has left half written; the names of what else is there."""
        names = set(os.listdir(self.path))
        drafts = {name for name in names if _is_draft(name)}
        for name in drafts:
            (self.path / name).unlink(missing_ok=True)
        return names - drafts


class RunFolder:
    """The output folder of a run."""

    def __init__(self, root: str | Path):
        self.root = Path(root)
        self.shard_lists = self.root / "shard_lists"
        self.shards = self.root / "shards"
        self.logs = self.root / "logs"
        self.config = self.root / "run.yaml"
        self.params = self.shard_lists / "shards.params"
        self.numberings = self.root / "annotations"

    def shard(self, index: int) -> ShardFolder:
        name = f"shard_{index:06d}"
        return ShardFolder(index, self.shards / name, self.shard_lists / f"{name}.lst")

    def create(self) -> None:
        try:
            for folder in (self.root, self.shard_lists, self.shards, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(
                f"run_root: {self.root} cannot be written: {error.strerror}; choose another folder"
            ) from error

    def write_config(self, config: dict[str, Any]) -> None:
        """Writes run.yaml; the last line, a comment, is its hash."""
        import yaml  # which the first rank alone needs

        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
        write_text(self.config, checksummed_text(text, "# "))

    def read_config(self) -> dict[str, Any]:
        """run.yaml as it was written; empty where there is none.

        Raises
        ------
        RunFolderError
            It is not as it was written.
        """
        import yaml

        try:
            text = verified_text(self.config.read_text(encoding="utf-8", errors="replace"), "# ")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise RunFolderError(f"{self.config}: cannot be read: {error.strerror}") from error
        if text is None:
            raise RunFolderError(
                f"{self.config}: has been damaged or changed; remove it, and the next run writes it anew"
            )
        return yaml.safe_load(text)

    def remove_drafts(self) -> None:
        """Removes what killed runs of this host have left half written beside the shards.

        Another run may be at work in the folder: what a living process writes stays. Shards are left to their locks.
        """
        own = re.compile(rf"\..*\.{re.escape(socket.gethostname())}\.(\d+)\.\w+")
        for folder in (self.root, self.shard_lists, self.numberings):
            for path in _drafts_in(folder):
                match = own.fullmatch(path.name)
                if match and not system.exists(int(match[1])):
                    path.unlink(missing_ok=True)


def _drafts_in(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder) if _is_draft(name)]
    except FileNotFoundError:
        return []


def _is_draft(name: str) -> bool:
    return name.startswith(".") and name.endswith((_DRAFT, _EARLIER_DRAFT))


@contextlib.contextmanager
def publish(path: Path, draft: Path | None = None) -> Iterator[Path]:
    """Gives a name to write to; when the block ends well, what is there is flushed to disk and gets the final name.

    Parameters
    ----------
    path : Path
        The final name.
    draft : Path, optional
        Where the content is already, instead of a new name.
    """
    draft = draft or draft_name(path)
    try:
        yield draft
        flush_to_disk(draft)
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    flush_to_disk(path.parent)


def draft_name(path: Path) -> Path:
    """Where a file is written before it gets its final name: hidden, in the same folder, its own for each thread."""
    is_main = threading.current_thread() is threading.main_thread()
    name = path.name if is_main else f"{path.name}.{threading.get_native_id()}"
    return path.with_name(f".{name}.{socket.gethostname()}.{os.getpid()}{_DRAFT}")


def flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_all(handles: Sequence[int]) -> None:
    """Flushes open files to disk, several at once: for as many a file system needs little longer than for one."""
    if len(handles) < 2:
        for handle in handles:
            os.fsync(handle)
        return
    with ThreadPoolExecutor(min(len(handles), _FLUSHES_AT_ONCE)) as threads:
        for _ in threads.map(os.fsync, handles):
            pass


def write_text(path: Path, text: str) -> None:
    write_together([(path, as_utf8(text))])


def write_together(files: Iterable[tuple[Path, bytes] | tuple[Path, Path]]) -> None:
    """Gives files their final names, in this order, when all of them are on disk; then flushes their folders.

    To flush many when all are written takes a fraction of the time of flushing each as it is written, and each file and
    folder is opened once: with many ranks on a network file system that is what counts.

    Parameters
    ----------
    files : iterable of (path, content)
        Final names, and what they are to hold: its bytes, or the file in the same folder that has it already.
    """
    drafts: dict[Path, Path] = {}
    waiting = iter(files)
    try:
        while batch := list(itertools.islice(waiting, _OPEN_AT_ONCE)):
            with contextlib.ExitStack() as opened:
                written = []
                for path, content in batch:
                    drafts[path] = draft_name(path) if isinstance(content, bytes) else content
                    file = opened.enter_context(open(drafts[path], "wb" if isinstance(content, bytes) else "rb"))
                    if isinstance(content, bytes):
                        file.write(content)
                        file.flush()
                    written.append(file.fileno())
                _flush_all(written)
        for path, draft in drafts.items():
            os.replace(draft, path)
    except BaseException:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in drafts}:
        flush_to_disk(folder)


def json_bytes(value: Any) -> bytes:
    """What a JSON file holds."""
    return as_utf8(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Replaces a JSON file; without `durable` it is not flushed (progress, which the next write replaces)."""
    if durable:
        write_together([(path, json_bytes(value))])
        return
    draft = draft_name(path)
    draft.write_bytes(json_bytes(value))
    os.replace(draft, path)


def read_json(path: Path) -> Any:
    """What `write_json` has written."""
    return json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))


def table_bytes(header: Iterable[str], rows: Iterable[Iterable[Any]], *, gzipped: bool) -> bytes:
    """What a tab-separated table holds: equal bytes for equal rows."""
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    table.writerow(header)
    table.writerows([table_cell(value) for value in row] for row in rows)
    content = as_utf8(text.getvalue())
    return gzip.compress(content, compresslevel=6, mtime=0) if gzipped else content


def table_cell(value: Any) -> str:
    """A value as it stands in a table: in one line, and printable."""
    text = str(value)
    return text if text.isprintable() else escape_unprintable(" ".join(text.split()))


def as_utf8(text: str) -> bytes:
    """A text as files of a run have it; bytes of file names that are no UTF-8 are kept as they are."""
    return text.encode("utf-8", errors="surrogateescape")


def now() -> str:
    """The time, in ISO 8601 with the zone."""
    return datetime.datetime.now(datetime.UTC).astimezone().isoformat(timespec="seconds")
