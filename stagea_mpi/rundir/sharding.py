"""Splitting a run's input files into shards, once, so that every later start finds the same ones."""

import hashlib
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np

from ..config.run_config import RunConfig
from ..errors import ModelError, RunFolderError
from ..inputs import InputFiles, discover
from ..inputs.containers import inner_names
from ..inputs.formats import is_archive_name, is_container_name
from ..inputs.layouts import Place, candidates, shared_targets
from ..inputs.model_names import base_name, container_names, name_files, place_in
from ..inputs.paths import Paths
from ..mpi.worker import WorkerProcess
from .checksums import checksummed, verified
from .folders import RunFolder, as_utf8, read_json, write_json, write_together

#: Most files of a run, and bytes of its Quiver files and archives, with which the names inside files are looked at.
_MOST_LOOKED_INTO = 1000
_MOST_BYTES_LOOKED_AT = 2 * 10**9
#: Seconds that a look into one container may take.
_LONGEST_LOOK_S = 300.0


class Cut(Sequence[list[str]]):
    """The paths of each shard, made when they are asked for.

    Parameters
    ----------
    paths : Paths
        All of the run.
    bounds : list of (int, int)
        First and last + 1 of each shard.
    """

    def __init__(self, paths: Paths, bounds: list[tuple[int, int]]):
        self.paths, self.bounds = paths, bounds

    def __len__(self) -> int:
        return len(self.bounds)

    @overload
    def __getitem__(self, index: int) -> list[str]: ...

    @overload
    def __getitem__(self, index: slice) -> list[list[str]]: ...

    def __getitem__(self, index: int | slice) -> list[str] | list[list[str]]:
        if isinstance(index, slice):
            return [self.paths[a:b] for a, b in self.bounds[index]]
        first, last = self.bounds[index]
        return self.paths[first:last]

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as a list's

    @property
    def n_files(self) -> list[int]:
        """Of each shard."""
        return [last - first for first, last in self.bounds]


@dataclass(frozen=True)
class ShardPlan:
    """How a run is split into shards.

    Attributes
    ----------
    shards : Cut
        Input paths of each shard. These and the sizes are empty where the input has not been listed.
    sizes : list of int
        Bytes of each shard's files.
    params : dict
        What decided the split (`shards.params`).
    left_out, archives : dict
        See `InputFiles`.
    """

    shards: Cut
    sizes: list[int]
    params: dict[str, Any]
    left_out: dict[str, int] = field(default_factory=dict)
    archives: dict[str, frozenset[tuple[str, str]]] = field(default_factory=dict)

    @property
    def said_of_left_out(self) -> str:
        """How many files are no models of the program whose output the folder is, by their endings; empty for none."""
        kinds = sorted(self.left_out.items(), key=lambda item: -item[1])
        listed = ", ".join(f"{n} {ending}" for ending, n in kinds)
        return f"{listed}: copies, inputs or of another origin; stage_a.glob can name them" if kinds else ""


def plan_shards(config: RunConfig) -> ShardPlan:
    """Splits the files that are there now; writes nothing.

    Raises
    ------
    ConfigError
        No files, or two whose models would have one name.
    """
    files = discover(config.pdb_root, config.stage_a.glob, config.stage_a.layout)
    ambiguous, hashes = name_files(files.paths, config.pdb_root, files.layouts)
    bare, separators = _container_names(files, config, frozenset(ambiguous), hashes)
    places = (place_in(path, config.pdb_root, files.layouts) for path in files.paths) if files.layouts else ()
    inside = (Place(target=target, folder=folder) for found in files.archives.values() for target, folder in found)
    shared = shared_targets(itertools.chain((place for place in places if place is not None), inside))
    bounds = _bounds(files.sizes, config)
    params = {
        **_settings(config),
        "n_files": len(files),
        "files_sha256": hash_of_lines(files.paths),
        "n_shards": len(bounds),
        "layouts": list(files.layouts),
        "ambiguous_stems": ambiguous,
        "bare_containers": bare,
        "separators": separators,
        "shared_targets": sorted(shared),
    }
    sizes = np.concatenate([[0], np.cumsum(files.sizes)])
    of_shards = [int(sizes[b] - sizes[a]) for a, b in bounds]
    return ShardPlan(Cut(files.paths, bounds), of_shards, params, files.left_out, files.archives)


def _settings(config: RunConfig) -> dict[str, Any]:
    """What of `shards.params` can be compared without listing the input."""
    stage = config.stage_a
    return {
        "pdb_root": str(config.pdb_root),
        "glob": list(stage.glob),
        "layout": stage.layout,
        "target_shard_gb": stage.target_shard_gb,
        "min_per_shard": stage.min_per_shard,
        "max_per_shard": stage.max_per_shard,
    }


def hash_of_lines(lines: Iterable[str]) -> str:
    """SHA-256 of a list of input files, as `shards.params` has it."""
    digest = hashlib.sha256()
    for k, line in enumerate(lines):
        digest.update((line if k == 0 else f"\n{line}").encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _container_names(
    files: InputFiles, config: RunConfig, ambiguous: frozenset[str], hashes: np.ndarray
) -> tuple[list[str], dict[str, str]]:
    """Which containers may use the names inside them, and which need another separator; see `container_names`.

    All files are looked into, or none: how models are named does not depend on which of many files are the largest.
    """
    root, inside = str(config.pdb_root), candidates(config.stage_a.layout)

    def base_of(path: str) -> str:
        return base_name(path, root, ambiguous, files.layouts)

    inner: dict[str, list[str]] = {}
    archives: set[str] = set()
    if _is_small(files):
        with WorkerProcess() as worker:
            for path in files.paths:
                if names := _look_into(path, inside, worker):
                    inner[base_of(path)] = names
                    archives |= {base_of(path)} if is_archive_name(path) else set()
    return container_names(lambda: (base_of(path) for path in files.paths), inner, hashes, archives)


def _is_small(files: InputFiles) -> bool:
    if len(files) > _MOST_LOOKED_INTO:
        return False
    sizes = zip(files.paths, files.sizes.tolist(), strict=True)
    return sum(size for path, size in sizes if is_container_name(path)) <= _MOST_BYTES_LOOKED_AT


def _look_into(path: str, layouts: tuple[str, ...], worker: WorkerProcess) -> list[str]:
    """See `inner_names`. A container is read to its end, and in a process that a damaged one may take with it."""
    if not is_container_name(path):
        return inner_names(path, layouts)
    try:
        found: list[str] = worker.call(_LONGEST_LOOK_S, inner_names, path, layouts)
    except ModelError:  # reported when its shard reads it
        return []
    return found


def _bounds(sizes: np.ndarray, config: RunConfig) -> list[tuple[int, int]]:
    """First and last + 1 of each shard: of the target's size, but no fewer and no more files than allowed."""
    stage = config.stage_a
    least, most = min(stage.min_per_shard, stage.max_per_shard), stage.max_per_shard
    until = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    target = math.ceil(min(stage.target_shard_gb * 1e9, int(until[-1]) + 1))
    bounds, start, n = [], 0, len(sizes)
    while start < n:
        full = int(np.searchsorted(until, until[start] + target))  # the first file by which the target is reached, + 1
        stop = min(start + most, max(full, start + least))
        if stop > n:
            break
        bounds.append((start, stop))
        start = stop
    if start < n:
        if bounds and n - start < least and n - bounds[-1][0] <= most:
            bounds[-1] = (bounds[-1][0], n)
        else:
            bounds.append((start, n))
    return bounds


def ensure_shard_plan(folder: RunFolder, config: RunConfig, force: bool, trust_list: bool = False) -> ShardPlan:
    """Splits the run into shards, or finds that it has been split already.

    Parameters
    ----------
    folder : RunFolder
    config : RunConfig
    force : bool
        Split anew where the input is another one.
    trust_list : bool
        Take the list of files of an earlier split under the same settings: the tasks of an array start when `submit`
        has just split the run, and a million files take minutes to list.

    Returns
    -------
    plan : ShardPlan
        With what stands in `shards.params`.

    Raises
    ------
    RunFolderError
        The input or the settings are others than those of the split, and `force` is not given.
    """
    known = read_params(folder)
    if trust_list and known is not None and all(known.get(key) == value for key, value in _settings(config).items()):
        return ShardPlan(Cut(Paths(""), []), [], known)
    plan = plan_shards(config)
    if known is not None:
        changed = [key for key in plan.params if plan.params[key] != known.get(key)]
        if not changed:
            return ShardPlan(plan.shards, plan.sizes, known, plan.left_out)
        if not force:
            told = [key for key in changed if key not in _DERIVED] or changed
            what = "; ".join(f"{key} was {known.get(key)!r}, is {plan.params[key]!r}" for key in told)
            raise RunFolderError(
                f"{folder.params}: the shards are of another input: {what}. Restore that, choose another run_root, "
                "or start with --force to split anew and compute the changed shards again"
            )
    folder.create()
    folder.params.unlink(missing_ok=True)  # they do not vouch for lists that are being replaced
    lists = (folder.shard(index).list_path for index in range(len(plan.shards)))
    texts = (as_utf8("".join(f"{path}\n" for path in paths)) for paths in plan.shards)
    write_together(zip(lists, texts, strict=True))
    for stale in range(len(plan.shards), (known or {}).get("n_shards", 0)):
        shard = folder.shard(stale)
        shard.unmark()
        for path in (
            shard.list_path,
            shard.packed,
            shard.graphs,
            shard.manifest,
            shard.failures,
            shard.meta,
            shard.progress,
        ):
            path.unlink(missing_ok=True)
    write_json(folder.params, checksummed(plan.params))
    return plan


#: What of the parameters only follows from the files.
_DERIVED = ("layouts", "ambiguous_stems", "bare_containers", "separators", "shared_targets")


def read_params(folder: RunFolder) -> dict[str, Any] | None:
    """`shards.params`, or None where the run has not been split."""
    try:
        params = verified(read_json(folder.params))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"{folder.params}: cannot be read ({error}); remove it, and the run is split anew"
        ) from error
    if params is None:
        raise RunFolderError(f"{folder.params}: has been damaged or changed; remove it, and the run is split anew")
    return params
