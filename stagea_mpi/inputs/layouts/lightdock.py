"""LightDock: a folder for each swarm, with a pose for each of its glowworms."""

import re
from collections.abc import Callable, Iterable

from .beside import Beside
from .layout import NOWHERE, Layout, Place, Scores
from .placing import Forms, parted
from .reading import ScoreFiles
from .tables import Row, numbers_of, row_of, target_of

#: Poses of a swarm, copies of some of them, and copies that have their place in a ranking as their name.
_POSE = re.compile(
    r"(?:(?P<run>.+)/)?(?:swarm_(?P<swarm>\d+)/lightdock_(?P<glowworm>\d+)"
    r"|(?P<copies>filtered|clustered)/swarm_(?P<swarm_of_copy>\d+)_(?P<glowworm_of_copy>\d+)"
    r"|top_(?P<rank>\d+))\.pdb(?:\.\w+)?"
)
#: The first of these that a run has are its models.
_ORDER = ("swarm", "filtered", "clustered", "top")
_STEP = re.compile(r"gso_(\d+)\.out")
_RANKING = "rank_by_scoring.list"


def _kind(pose: re.Match[str]) -> int:
    return _ORDER.index("swarm" if pose["swarm"] else pose["copies"] or "top")


def _pose_of(pose: re.Match[str]) -> tuple[str, str]:
    """Numbers of the swarm and of the glowworm."""
    return pose["swarm"] or pose["swarm_of_copy"], pose["glowworm"] or pose["glowworm_of_copy"]


def _place(path: str, root: str) -> Place | None:
    pose = _POSE.fullmatch(path)
    folders, stem = parted(path)
    if pose is None or not stem:
        return NOWHERE if stem.startswith("lightdock_") or folders[-1:] == ["init"] else None
    target = target_of(filter(None, (pose["run"] or "").split("/")), root)
    if pose["rank"]:
        return Place("lightdock", target, f"{target}_top_{pose['rank']}")
    swarm, glowworm = _pose_of(pose)
    return Place("lightdock", target, f"{target}_swarm_{swarm}_{glowworm}")


def _kept(paths: Iterable[str]) -> Callable[[str], bool]:
    forms = Forms(is_pdb=True)
    first: dict[str, int] = {}
    for path in paths:
        forms.add(path)
        pose = _POSE.fullmatch(path)
        if pose is not None:
            run = pose["run"] or ""
            first[run] = min(first.get(run, len(_ORDER)), _kind(pose))

    def counts(path: str) -> bool:
        pose = _POSE.fullmatch(path)
        return pose is not None and _kind(pose) == first.get(pose["run"] or "") and forms.is_first(path)

    return counts


def _swarm_table(content: bytes) -> dict[str, Row]:
    """Of gso_<step>.out, by the glowworm: its number is that of its line, from 0."""
    lines = [line for line in content.decode().splitlines() if not line.startswith("#")]
    rows = {str(glowworm): _of_glowworm(line) for glowworm, line in enumerate(lines)}
    if not any(isinstance(row, dict) for row in rows.values()):
        raise ValueError("is no output of a swarm: lines of coordinates in brackets and scores were expected")
    return rows


def _of_glowworm(line: str) -> Row:
    """Behind the coordinates: in newer files two conformers; luciferin, neighbours, vision range and scoring."""
    words = line.rpartition(")")[2].split() if ")" in line else []
    said = numbers_of({"lightdock": words[-1], "lightdock_luciferin": words[-4]}) if len(words) in (4, 6) else {}
    return said if len(said) == 2 else "has not six numbers behind the coordinates of the glowworm"


def _ranking_table(content: bytes) -> dict[str, Row]:
    """Of a ranking, by swarm and glowworm (``1_18``) and by its lines (``top_1``)."""
    rows: dict[str, Row] = {}
    for rank, line in enumerate(content.decode().splitlines()[1:], start=1):
        pose, scores = line.partition("(")[0].split(), line.rpartition(")")[2].split()
        said = numbers_of({"lightdock": scores[8], "lightdock_luciferin": scores[2]}) if len(scores) == 9 else {}
        row: Row = said if len(said) == 2 else f"line {rank + 1} is no line of a ranking"
        rows[f"top_{rank}"] = rows["_".join(pose)] = row
    if not any(isinstance(row, dict) for row in rows.values()):
        raise ValueError("is no ranking: lines of swarm, glowworm, coordinates in brackets and scores were expected")
    return rows


def _scores(beside: Beside, path: str) -> Scores:
    """Of a pose from the last step of its swarm, or else, with fewer digits, from the ranking."""
    files = ScoreFiles(beside, path)
    pose = _POSE.fullmatch(path)
    if pose is None:
        return files.scores({})
    run = pose["run"] or ""
    if pose["rank"]:
        return files.scores(row_of(files, files.table(_RANKING, _ranking_table).required(), f"top_{pose['rank']}"))
    swarm, glowworm = _pose_of(pose)
    folder = f"{run}/swarm_{swarm}" if run else f"swarm_{swarm}"
    steps = [int(step[1]) for step in map(_STEP.fullmatch, beside.names(folder)) if step]
    last = f"../swarm_{swarm}/gso_{max(steps) if steps else '*'}.out"
    table = files.table(last, _swarm_table)
    values = row_of(files, table, glowworm)
    if values:
        return files.scores(values)
    ranking = files.table(f"../{_RANKING}", _ranking_table)
    if ranking.is_missing:
        table.required()
    return files.scores(row_of(files, ranking, f"{swarm}_{glowworm}"))


LAYOUT = Layout(
    name="lightdock",
    program="LightDock",
    words=("swarm_", "rank_by_"),
    evidence=re.compile(
        r"(?:^|/)swarm_\d+/(?:gso_\d+\.out$|lightdock_\d+\.pdb)|(?:^|/)(?:filtered|clustered)/swarm_\d+_\d+\.pdb"
        r"|(?:^|/)rank_by_(?:scoring|luciferin|rmsd)\.list$"
    ),
    place=_place,
    scores=_scores,
    kept=_kept,
)
