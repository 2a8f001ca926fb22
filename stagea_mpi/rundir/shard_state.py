"""What is published of a shard, and whether it is good for the run at hand."""

import os
from pathlib import Path
from typing import Any

from ..config.run_config import RunConfig
from ..errors import TRANSIENT_REASONS, RunFolderError
from ..storage.packed_reader import PackedFile
from ..storage.schema import SCHEMA_VERSION
from .checksums import hash_of
from .folders import DONE, GRAPHS_DONE, ShardFolder
from .records import mismatch, published_files

#: Whose definitions the features follow; graphs made under others are not mixed with these.
FEATURES = "deeprank-ab 1.0.2"

#: What the metadata of a shard have to have, and their ``result``.
_KEYS = ("files", "science", "science_sha256", "inputs_sha256", "do_cluster", "wall_s")
_COUNTS = ("n_models", "n_ok", "n_fail")


class Published:
    """Judges published shards by the settings of a run.

    Parameters
    ----------
    config : RunConfig
    root : Path
        The run folder, for messages.
    wants_clusters : bool
        Whether graphs without clusters are to be clustered (in ``prep_graphs`` they never are).
    """

    def __init__(self, config: RunConfig, root: Path, wants_clusters: bool):
        self._config, self._root = config, root
        self._wants_clusters = wants_clusters or config.phase == "cluster_only"

    def numerics(self) -> dict[str, Any]:
        """All settings that a graph's numbers depend on."""
        return {"features": FEATURES, "schema_version": SCHEMA_VERSION, "chains": self._config.chains.fingerprint()}

    def metadata(self, shard: ShardFolder) -> dict[str, Any] | None:
        """Metadata of a shard whose packed.h5 and lists are whole and of these settings, else None.

        Raises
        ------
        RunFolderError
            The shard is marked as done, but under other settings or with a file missing or damaged.
        """
        marked = shard.has(GRAPHS_DONE) or shard.has(DONE)  # before the metadata, which are there before the markers
        meta = shard.read_meta()
        wrong = self._mismatch(shard, meta)
        if wrong and marked:
            raise RunFolderError(
                f"{wrong}, though the shard is marked as done; `python -m stagea_mpi verify {self._root} --repair` "
                "removes what is wrong, and running again fills it in"
            )
        if wrong:
            return None
        if meta["science"] != self.numerics():
            if marked:
                raise RunFolderError(self._other_settings(shard, meta["science"] or {}))
            return None
        return meta if _is_of(shard, meta) and (marked or not self._is_worth_another_try(shard, meta)) else None

    def is_up_to_date(self, shard: ShardFolder, meta: dict[str, Any] | None, paths: list[str]) -> bool:
        """Whether a shard is done for this phase, of these settings and of input files that nobody has touched."""
        if not is_whole(meta) or meta["science"] != self.numerics() or not self.is_complete(shard, meta):
            return False
        same_input = self._config.phase == "cluster_only" or meta.get("inputs_stat_sha256") == stat_hash(paths)
        return same_input and self._mismatch(shard, meta) is None

    def is_complete(self, shard: ShardFolder, meta: dict[str, Any]) -> bool:
        """Whether this phase has nothing more to do for the shard."""
        if meta.get("replaced"):
            return False
        if self._config.phase == "prep_graphs":
            return shard.has(GRAPHS_DONE) and shard.graphs.exists()
        return shard.has(DONE) and shard.graphs.exists() and (meta["do_cluster"] or not self._wants_clusters)

    def _mismatch(self, shard: ShardFolder, meta: dict[str, Any] | None) -> str | None:
        """What is wrong with a shard's files, by their records. Where nothing more is to be done, sizes have to do."""
        if not is_whole(meta):
            return f"{shard.meta}: is missing or damaged"
        complete = self.is_complete(shard, meta)
        files = [path for path in published_files(shard) if path != shard.graphs or complete]
        return next(filter(None, (mismatch(path, meta, sizes_only=complete) for path in files)), None)

    def _other_settings(self, shard: ShardFolder, known: dict[str, Any]) -> str:
        now = self.numerics()
        changed = [f"{key} was {known.get(key)!r}, is {now[key]!r}" for key in now if known.get(key) != now[key]]
        return (
            f"{shard.path}: its graphs were made under other settings: {'; '.join(changed)}. "
            "Restore them, choose another run_root, or start with --force to compute the shard again"
        )

    def _is_worth_another_try(self, shard: ShardFolder, meta: dict[str, Any]) -> bool:
        """Whether a shard has too many failed models, some for reasons that may have passed."""
        result = meta["result"]
        if result["n_fail"] <= self._config.stage_a.max_failed_fraction * result["n_models"]:
            return False
        with PackedFile(shard.packed) as packed:
            return not TRANSIENT_REASONS.isdisjoint(packed.statuses)


def is_whole(meta: dict[str, Any] | None) -> bool:
    """Whether metadata have all that is asked of them."""
    if meta is None or not all(key in meta for key in _KEYS) or not isinstance(meta["files"], dict):
        return False
    return all(isinstance(meta["result"].get(key), int) for key in _COUNTS)


def _is_of(shard: ShardFolder, meta: dict[str, Any]) -> bool:
    with PackedFile(shard.packed) as packed:
        return all(packed.attributes.get(key) == meta[key] for key in ("science_sha256", "inputs_sha256"))


def stat_hash(paths: list[str]) -> str:
    """Hash of the files' sizes and times: equal ones spare reading the files again."""
    found = []
    for path in paths:
        try:
            stat = os.stat(path)
            found.append((path, stat.st_size, stat.st_mtime_ns))
        except OSError:
            found.append((path, -1, -1))
    return hash_of(found)


def changed_files(shard: ShardFolder, digests: list[tuple[str, str, str]]) -> str:
    """Which files (path, name of the model, hash) differ from those of the published graphs, for a person."""
    with PackedFile(shard.packed) as packed:
        sources = [source.decode("utf-8", "surrogateescape") for source in packed.column("model/source").tolist()]
        known = dict(zip(sources, (digest.decode() for digest in packed.column("model/digest").tolist()), strict=True))
    now = {path: digest for path, _, digest in digests}
    changed = sorted({path for path in known.keys() | now.keys() if known.get(path) != now.get(path)})
    more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
    return ", ".join(changed[:5]) + more or "the names of its models"
