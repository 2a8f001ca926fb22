"""Whether what is published of a shard is good for the run at hand: its settings, its input, its phase."""

import os
from pathlib import Path
from typing import Any

from ..config.run_config import RunConfig
from ..errors import TRANSIENT_REASONS, RunFolderError
from ..storage.packed_reader import PackedFile
from ..storage.schema import SCHEMA_VERSION
from .checksums import hash_of
from .folders import ShardFolder
from .records import mismatch, recorded_files
from .shard_meta import ShardMeta
from .shard_state import ShardState

#: Whose definitions the features follow; graphs made under others are not mixed with these.
FEATURES = "deeprank-ab 1.0.2"


class ShardJudge:
    """Judges published shards by the settings of a run.

    Parameters
    ----------
    config : RunConfig
    root : Path
        The run folder, for messages.
    wants_clusters : bool
        Whether graphs without clusters are to be clustered (in ``prep_graphs`` they never are).
    reference : dict, optional
        `ShardMeta.reference` of shards that this run makes; without one, any will do.

    Attributes
    ----------
    reference : dict or None
    """

    def __init__(self, config: RunConfig, root: Path, wants_clusters: bool, reference: dict[str, Any] | None = None):
        self._config, self._root, self.reference = config, root, reference
        self._wants_clusters = wants_clusters or config.phase == "cluster_only"

    def numerics(self) -> dict[str, Any]:
        """All settings that a graph's numbers depend on."""
        return {"features": FEATURES, "schema_version": SCHEMA_VERSION, "chains": self._config.chains.fingerprint()}

    def usable(self, state: ShardState) -> ShardMeta | None:
        """Metadata of a shard whose packed.h5 and lists are whole and of these settings, else None.

        Raises
        ------
        RunFolderError
            The shard is marked as done, but under other settings or with a file missing or damaged.
        """
        meta, wrong = state.meta, self._mismatch(state)
        if wrong and state.is_marked:
            raise RunFolderError(
                f"{wrong}, though the shard is marked as done; `python -m stagea_mpi verify {self._root} --repair` "
                "removes what is wrong, and running again fills it in"
            )
        if wrong or meta is None:
            return None
        if meta.numerics != self.numerics():
            if state.is_marked:
                raise RunFolderError(self._other_settings(state.shard, meta))
            return None
        if self.reference is not None and not self._has_targets(_reference_in(state.shard)):
            if state.is_marked:
                raise RunFolderError(self._other_reference(state.shard, meta))
            return None
        is_good = _is_of(state.shard, meta) and (state.is_marked or not self._is_worth_another_try(state.shard, meta))
        return meta if is_good else None

    def is_up_to_date(self, state: ShardState, paths: list[str]) -> bool:
        """Whether a shard is done for this phase, of these settings and of input files that nobody has touched."""
        meta = state.meta
        if meta is None or meta.numerics != self.numerics() or not self.is_complete(state):
            return False
        if not self._has_targets((meta.reference or {}).get("sha256")):
            return False
        same_input = self._config.phase == "cluster_only" or meta.inputs_stat_sha256 == stat_hash(paths)
        return same_input and self._mismatch(state) is None

    def is_complete(self, state: ShardState) -> bool:
        """Whether this phase has nothing more to do for the shard."""
        if state.meta is None or state.is_being_replaced or not self._has_its_graphs(state.shard, state.meta):
            return False
        if self._config.phase == "prep_graphs":
            return state.has_graphs_done
        return state.has_done and (state.meta.do_cluster or not self._wants_clusters)

    def _has_its_graphs(self, shard: ShardFolder, meta: ShardMeta) -> bool:
        """Whether graphs.h5 is there, or is neither to be written nor said to be there."""
        if meta.is_without_graphs:
            return not self._config.stage_a.write_graphs
        return shard.graphs.exists()

    def _mismatch(self, state: ShardState) -> str | None:
        """What is wrong with a shard's files, by their records. Where nothing more is to be done, sizes have to do."""
        shard, meta = state.shard, state.meta
        if meta is None:
            return f"{shard.meta}: is missing or damaged"
        complete = self.is_complete(state)
        files = [path for path in recorded_files(shard, meta) if path != shard.graphs or complete]
        return next(filter(None, (mismatch(path, meta, sizes_only=complete) for path in files)), None)

    def _other_settings(self, shard: ShardFolder, meta: ShardMeta) -> str:
        now, known = self.numerics(), meta.numerics or {}
        changed = [f"{key} was {known.get(key)!r}, is {now[key]!r}" for key in now if known.get(key) != now[key]]
        return (
            f"{shard.path}: its graphs were made under other settings: {'; '.join(changed)}. "
            "Restore them, choose another run_root, or start with --force to compute the shard again"
        )

    def _has_targets(self, found: str | None) -> bool:
        """Whether models were compared with this run's reference, by its hash; without one, no matter with which."""
        return self.reference is None or self.reference["sha256"] == found

    def _other_reference(self, shard: ShardFolder, meta: ShardMeta) -> str:
        before = (meta.reference or {}).get("stated", "none")
        now = (self.reference or {}).get("stated")
        return (
            f"{shard.path}: its models were compared with another reference: reference was {before!r}, is {now!r} (by "
            f"content). Its graphs need not be made again: `python -m stagea_mpi score-reference {self._root} --config "
            "run.yaml` compares them anew; or restore the reference, choose another run_root, or start with --force"
        )

    def _is_worth_another_try(self, shard: ShardFolder, meta: ShardMeta) -> bool:
        """Whether a shard has too many failed models, some for reasons that may have passed."""
        result = meta.result
        if result.n_fail <= self._config.stage_a.max_failed_fraction * result.n_models:
            return False
        with PackedFile(shard.packed) as packed:
            return not TRANSIENT_REASONS.isdisjoint(packed.statuses)


def _is_of(shard: ShardFolder, meta: ShardMeta) -> bool:
    """Whether packed.h5 is the one that the metadata speak of."""
    with PackedFile(shard.packed) as packed:
        return (meta.numerics_sha256, meta.inputs_sha256) == tuple(
            packed.attributes.get(key) for key in ("science_sha256", "inputs_sha256")
        )


def _reference_in(shard: ShardFolder) -> str:
    """Hash of what decides the targets in packed.h5."""
    with PackedFile(shard.packed) as packed:
        return packed.reference_sha256


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
