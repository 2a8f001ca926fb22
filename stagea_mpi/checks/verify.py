"""`verify`: checks every published file of a run against its record and against the others, and removes what is wrong.

It reads alone unless `--repair` is given. What is unfinished is no fault: the next run goes on with it.
"""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DONE as OK
from ..errors import FAILED, STOPPED_EARLY, RunFolderError
from ..mpi.pool import on_all_cores
from ..rundir.folders import DONE, GRAPHS_DONE, RunFolder, ShardFolder
from ..rundir.lock import ShardLock
from ..rundir.numbering_cache import damaged_lines, remove_damaged_lines
from ..rundir.records import mismatch, recorded_files
from ..rundir.shard_meta import ShardMeta
from ..rundir.shard_state import Published, ShardState
from ..rundir.sharding import read_params
from .consistency import Extent, inconsistencies

#: Shards that are worth a process of their own to check them.
_SHARDS_A_WORKER = 5


@dataclass
class Finding:
    """What is to be said of a shard, or of the run as a whole.

    Attributes
    ----------
    name : str
        The shard, or ``run``.
    problems : list of str
        Each names a file, what was found and what was expected.
    to_remove : list of Path
        What has to go so that a rerun fills it in, in this order.
    damaged_caches : list of Path
        Files of numberings of which some lines have to go.
    unfinished : str
        Why there is still something to do, where there is and nothing is wrong.
    """

    name: str
    problems: list[str] = field(default_factory=list)
    to_remove: list[Path] = field(default_factory=list)
    damaged_caches: list[Path] = field(default_factory=list)
    unfinished: str = ""

    def add_problem(self, path: Path, problem: str, *also: Path) -> None:
        """Notes a problem, and that the path has to go, with some others before it.

        A folder under a file's name is none of ours, and may hold anything: it is left to a person.
        """
        self.problems.append(problem)
        for item in (*also, path):
            if item.is_dir() and not item.is_symlink():
                self.problems.append(f"{item}: is a folder, expected a file; remove it by hand")
            elif item not in self.to_remove:
                self.to_remove.append(item)
        self.problems = list(dict.fromkeys(self.problems))


def verify(
    run_root: str | Path, *, repair: bool = False, deep: bool = False, tell: Callable[[str], object] = print
) -> int:
    """Checks a run folder, reports what is wrong, and returns the exit code.

    Parameters
    ----------
    run_root : path
    repair : bool
        Remove what is wrong. Shards that a living run holds are left alone.
    deep : bool
        See `Extent.deep`.
    tell : callable
        Given one line at a time.

    Returns
    -------
    code : int
        0 all is there and right; 75 what is there is right, and running again finishes; 1 something was wrong.

    Raises
    ------
    RunFolderError
        The folder is not that of a run.
    """
    folder = RunFolder(Path(run_root).absolute())
    if not folder.shard_lists.is_dir():
        raise RunFolderError(
            f"{folder.root}: is not the folder of a run: {folder.shard_lists} is missing; name a run_root"
        )
    run, n_shards = _check_cut(folder)
    extent = Extent(lists_are_right=not run.problems and not run.unfinished, deep=deep)
    _check_numberings(folder, run)
    findings = [run, *_check_shards([folder.shard(index) for index in range(n_shards)], extent)]
    _check_config(folder, run, is_needed=any(not finding.unfinished for finding in findings[1:]))
    wrong = [finding for finding in findings if finding.problems]
    unfinished = [finding for finding in findings if finding.unfinished and not finding.problems]
    for finding in findings:
        for problem in finding.problems:
            tell(f"stagea_mpi: {finding.name}: {problem}")
    for finding in unfinished[:20]:
        tell(f"stagea_mpi: {finding.name}: not finished: {finding.unfinished}")
    if len(unfinished) > 20:
        tell(f"stagea_mpi: and {len(unfinished) - 20} more are not finished")
    done = sum(not finding.problems and not finding.unfinished for finding in findings[1:])
    n_problems = sum(len(finding.problems) for finding in wrong)
    tell(
        f"stagea_mpi: {n_problems} problems; {done} of {n_shards} shards are whole and right, "
        f"{len(unfinished)} not finished"
    )
    is_mendable = any(finding.to_remove or finding.damaged_caches for finding in wrong)
    if is_mendable and repair:
        removed = sum(_mend(folder, finding, extent) for finding in wrong)
        tell(f"stagea_mpi: removed {removed} files; run the same command as before, and it fills in what is missing")
    elif is_mendable:
        tell(
            f"stagea_mpi: `python -m stagea_mpi verify {folder.root} --repair` removes what is wrong; "
            "a run then fills it in"
        )
    return FAILED if wrong else STOPPED_EARLY if unfinished else OK


def _mend(folder: RunFolder, finding: Finding, extent: Extent) -> int:
    """Removes what is wrong; how many files it was."""
    for path in finding.damaged_caches:
        remove_damaged_lines(path)
    if finding.name == "run":
        return _remove(finding.to_remove) + len(finding.damaged_caches)
    shard = folder.shard(int(finding.name.removeprefix("shard_")))
    lock = ShardLock(shard.path)
    lock.acquire()
    try:  # a run may have been at it until just now
        return _remove(_examine(ShardState(shard), extent).to_remove)
    finally:
        lock.release()


def _remove(paths: list[Path]) -> int:
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def _check_cut(folder: RunFolder) -> tuple[Finding, int]:
    """The list of shards; without a good one the run is split anew, from the same files into the same shards."""
    run, n_shards = Finding("run"), 0
    try:
        params = read_params(folder)
    except RunFolderError as error:
        params = None
        run.add_problem(folder.params, str(error))
    if params is None and not run.problems:
        run.unfinished = f"{folder.params} is missing; the next run splits the input into shards"
    if params is not None:
        problem = _problem_of_cut(folder, params)
        if problem:
            run.add_problem(folder.params, problem)
        n_shards = params["n_shards"] if isinstance(params.get("n_shards"), int) else 0
    listed = [int(path.stem[6:]) for path in folder.shard_lists.glob("shard_*.lst") if path.stem[6:].isdigit()]
    there = [int(path.name[6:]) for path in folder.shards.glob("shard_*") if path.name[6:].isdigit()]
    beyond = [index for index in there if params is not None and not run.problems and index >= n_shards]
    for index in sorted(beyond):
        shard = folder.shard(index)
        run.problems.append(
            f"{shard.path}: the run has {n_shards} shards; this one is of another split; remove it by hand"
        )
    return run, n_shards if params is not None and not run.problems else max(
        [n_shards, *(i + 1 for i in listed + there)]
    )


def _problem_of_cut(folder: RunFolder, params: dict[str, Any]) -> str | None:
    n_shards, n_files = params.get("n_shards"), params.get("n_files")
    if not isinstance(n_shards, int) or not isinstance(n_files, int):
        return f"{folder.params}: n_shards is {n_shards!r} and n_files is {n_files!r}, expected numbers"
    digest, n_found = hashlib.sha256(), 0
    for index in range(n_shards):
        try:
            lines = folder.shard(index).inputs()
        except RunFolderError as error:
            return str(error)
        for line in lines:
            digest.update((f"\n{line}" if n_found else line).encode("utf-8", "surrogateescape"))
            n_found += 1
    if n_found != n_files or digest.hexdigest() != params.get("files_sha256"):
        return f"{folder.shard_lists}: the lists hold {n_found} files, the run was split with {n_files}" + (
            "" if n_found != n_files else ", but others than these"
        )
    return None


def _check_config(folder: RunFolder, run: Finding, is_needed: bool) -> None:
    try:
        known = folder.read_config()
    except RunFolderError as error:
        run.add_problem(folder.config, str(error))
        return
    if is_needed and not known:
        run.unfinished = run.unfinished or f"{folder.config} is missing; the next run writes it"


def _check_numberings(folder: RunFolder, run: Finding) -> None:
    for path in sorted(folder.numberings.glob("*.jsonl")):
        try:
            bad = damaged_lines(path)
        except OSError as error:
            run.add_problem(path, f"{path}: cannot be read: {error.strerror}")
            continue
        if bad:
            run.problems.append(f"{path}: {bad} lines are damaged; a run does not use them")
            run.damaged_caches.append(path)


def _check_shards(shards: list[ShardFolder], extent: Extent) -> list[Finding]:
    """Findings of all shards, on all cores that this process may use where there are shards enough."""
    return list(on_all_cores(functools.partial(check_shard, extent=extent), shards, _SHARDS_A_WORKER))


def check_shard(shard: ShardFolder, extent: Extent) -> Finding:
    """What is wrong with one shard, and what has to go so that a rerun fills it in.

    Parameters
    ----------
    shard : ShardFolder
    extent : Extent
    """
    state = ShardState(shard)
    if state.holder is not None and state.holder[2]:
        who = f"process {state.holder[0].get('pid', '?')} on {state.holder[0].get('host', '?')}"
        return Finding(shard.name, unfinished=f"is being written by {who}")
    return _examine(state, extent)


def _examine(state: ShardState, extent: Extent) -> Finding:
    shard, meta = state.shard, state.meta
    finding = Finding(shard.name)
    markers = [marker for marker in (GRAPHS_DONE, DONE) if (shard.path / marker).exists()]
    paths = [shard.path / marker for marker in (DONE, GRAPHS_DONE)]
    _check_markers(shard, markers, finding)
    problem = _problem_of_meta(shard, meta)
    if problem and (markers or shard.meta.exists()):
        finding.add_problem(shard.meta, f"{shard.meta}: {problem}", *paths)
    elif problem:
        finding.unfinished = "nothing is published yet"
    if problem or meta is None:
        return finding
    records = {path: problem for path in recorded_files(shard, meta) if (problem := mismatch(path, meta))}
    if not markers:
        records = {path: problem for path, problem in records.items() if path.exists()}
    for path, problem in records.items():
        finding.add_problem(path, problem, *paths)
    if state.is_being_replaced:
        finding.unfinished = "its files were being replaced"
    elif shard.packed.exists() and shard.packed not in records:
        for path, problem in inconsistencies(shard, meta, extent, damaged=records):
            finding.add_problem(path, problem, *paths)
    if not finding.unfinished and state.published is not Published.DONE:
        is_marked = state.published is Published.GRAPHS
        finding.unfinished = "the graphs are there, without clusters" if is_marked else "not marked as done"
    return finding


def _problem_of_meta(shard: ShardFolder, meta: ShardMeta | None) -> str | None:
    if meta is None:
        return "is damaged" if shard.meta.exists() else "is missing"
    if meta.shard_id != shard.name:
        return f"shard_id is {meta.shard_id!r}, expected {shard.name!r}"
    return None


def _check_markers(shard: ShardFolder, markers: list[str], finding: Finding) -> None:
    if markers == [DONE]:
        finding.add_problem(shard.path / DONE, f"{shard.path / DONE}: is there without {GRAPHS_DONE}")
    for marker in markers:
        path = shard.path / marker
        try:
            problem = "" if shard.is_marker_whole(marker) else f"{path}: is not as it was written"
        except OSError as error:
            problem = f"{path}: cannot be read: {error.strerror}"
        if problem:
            finding.add_problem(path, problem, shard.path / DONE)
