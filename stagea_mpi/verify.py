"""`verify`: checks every published file of a run against its record and against the others, and removes what is wrong.

It reads alone unless `--repair` is given. What is unfinished is no fault: the next run goes on with it.
"""

import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .consistency import inconsistencies
from .errors import DONE as OK
from .errors import FAILED, STOPPED_EARLY, RunFolderError
from .published import is_whole
from .shards import read_params
from .store.annotations import damaged_lines, remove_damaged_lines
from .store.lock import ShardLock, holder_of
from .store.records import complaint, published_files
from .store.rundir import DONE, GRAPHS_DONE, RunFolder, ShardFolder

log = logging.getLogger(__name__)

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
    unfinished : str
        Why there is still something to do, where there is and nothing is wrong.
    """

    name: str
    problems: list[str] = field(default_factory=list)
    to_remove: list[Path] = field(default_factory=list)
    unfinished: str = ""

    def blame(self, path: Path, problem: str, *also: Path) -> None:
        """Notes a problem, and that the path has to go, with some others before it."""
        self.problems.append(problem)
        self.to_remove.extend(item for item in (*also, path) if item not in self.to_remove)


def verify(run_root: str | Path, *, repair: bool = False, tell=print) -> int:
    """Checks a run folder, tells what is wrong, and returns the exit code.

    Parameters
    ----------
    run_root : path
    repair : bool
        Remove what is wrong. Shards that a living run holds are left alone.
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
    _check_annotations(folder, run, repair)
    findings = [run, *(check_shard(folder.shard(index)) for index in range(n_shards))]
    wrong = [finding for finding in findings if finding.problems]
    unfinished = [finding for finding in findings if finding.unfinished and not finding.problems]
    for finding in findings:
        for problem in finding.problems:
            tell(f"stagea_mpi: {finding.name}: {problem}")
        if repair and finding.to_remove:
            _remove(folder, finding)
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
    if wrong and repair:
        removed = sum(len(finding.to_remove) for finding in wrong)
        tell(f"stagea_mpi: removed {removed} files; run the same command as before, and it fills in what is missing")
    elif wrong:
        tell(
            f"stagea_mpi: `python -m stagea_mpi verify {folder.root} --repair` removes what is wrong; "
            "a run then fills it in"
        )
    return FAILED if wrong else STOPPED_EARLY if unfinished else OK


def _remove(folder: RunFolder, finding: Finding) -> None:
    shard = folder.shards / finding.name
    lock = ShardLock(shard) if shard.is_dir() else None
    if lock is not None:
        lock.acquire()
    try:
        for path in finding.to_remove:
            path.unlink(missing_ok=True)
    finally:
        if lock is not None:
            lock.release()


def _check_cut(folder: RunFolder) -> tuple[Finding, int]:
    """The list of shards; without a good one the run is cut anew, from the same files into the same shards."""
    run, n_shards = Finding("run"), 0
    try:
        params = read_params(folder)
    except RunFolderError as error:
        params = None
        run.blame(folder.params, str(error))
    if params is None and not run.problems:
        run.unfinished = f"{folder.params} is missing; the next run cuts the input into shards"
    if params is not None:
        problem = _problem_of_cut(folder, params)
        if problem:
            run.blame(folder.params, problem)
        n_shards = params["n_shards"] if isinstance(params.get("n_shards"), int) else 0
    listed = [int(path.stem[6:]) for path in folder.shard_lists.glob("shard_*.lst") if path.stem[6:].isdigit()]
    there = [int(path.name[6:]) for path in folder.shards.glob("shard_*") if path.name[6:].isdigit()]
    beyond = [index for index in there if params is not None and not run.problems and index >= n_shards]
    for index in sorted(beyond):
        shard = folder.shard(index)
        run.problems.append(
            f"{shard.path}: the run has {n_shards} shards; this one is of another cut, and is to be removed by hand"
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
        path = folder.shard(index).list_path
        try:
            lines = folder.shard(index).inputs()
        except OSError as error:
            return f"{path}: cannot be read: {error.strerror}"
        for line in lines:
            digest.update((f"\n{line}" if n_found else line).encode("utf-8", "surrogateescape"))
            n_found += 1
    if n_found != n_files or digest.hexdigest() != params.get("files_sha256"):
        return f"{folder.shard_lists}: the lists hold {n_found} files, the run was cut from {n_files}" + (
            "" if n_found != n_files else ", but others than these"
        )
    return None


def _check_annotations(folder: RunFolder, run: Finding, repair: bool) -> None:
    for path in sorted(folder.annotations.glob("*.jsonl")):
        try:
            bad = damaged_lines(path)
            if bad and repair:
                remove_damaged_lines(path)
        except OSError as error:
            run.blame(path, f"{path}: cannot be read: {error.strerror}")
            continue
        if bad:
            run.problems.append(f"{path}: {bad} lines are damaged; a run does not use them")


def check_shard(shard: ShardFolder) -> Finding:
    """What is wrong with one shard, and what has to go so that a rerun fills it in."""
    finding = Finding(shard.name)
    held = holder_of(shard.path)
    if held is not None and held[2]:
        finding.unfinished = f"is being written by process {held[0].get('pid', '?')} on {held[0].get('host', '?')}"
        return finding
    markers = [marker for marker in (GRAPHS_DONE, DONE) if shard.has(marker)]
    paths = [shard.path / marker for marker in (DONE, GRAPHS_DONE)]
    meta = shard.read_meta()
    _check_markers(shard, markers, finding)
    if not is_whole(meta):
        if markers or shard.meta.exists():
            missing = "is missing" if not shard.meta.exists() else "is damaged"
            finding.blame(shard.meta, f"{shard.meta}: {missing}", *paths)
        else:
            finding.unfinished = "nothing is published yet"
        return finding
    records = {path: problem for path in published_files(shard) if (problem := complaint(path, meta))}
    if not markers:
        records = {path: problem for path, problem in records.items() if path.exists()}
    for path, problem in records.items():
        finding.blame(path, problem, *paths)
    if meta.get("replaced"):
        finding.unfinished = "its files were being replaced"
    elif shard.packed.exists() and shard.packed not in records:
        for path, problem in inconsistencies(shard, meta):
            if path.exists() and path not in records:
                finding.blame(path, problem, *paths)
    n_inputs = meta["result"].get("n_inputs")
    if shard.list_path.exists() and len(shard.inputs()) != n_inputs:
        problem = f"{shard.meta}: n_inputs is {n_inputs!r}, {shard.list_path} has {len(shard.inputs())} lines"
        finding.blame(shard.meta, problem, *paths)
    if not finding.unfinished and DONE not in markers:
        finding.unfinished = "the graphs are there, without clusters" if markers else "not marked as done"
    return finding


def _check_markers(shard: ShardFolder, markers: list[str], finding: Finding) -> None:
    if markers == [DONE]:
        finding.blame(shard.path / DONE, f"{shard.path / DONE}: is there without {GRAPHS_DONE}")
    for marker in markers:
        path = shard.path / marker
        if not path.read_text(errors="replace").strip():
            finding.blame(path, f"{path}: is empty, expected the time at which the shard was done", shard.path / DONE)
