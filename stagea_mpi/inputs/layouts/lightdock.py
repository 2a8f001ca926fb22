"""LightDock: a folder for each swarm, with a pose for each of its glowworms."""

import re
from collections.abc import Callable, Iterable

from .beside import Beside
from .layout import Layout, Place, Scores
from .score_files import PDB, ScoreTable, joined, numbers_of, parsed_or_said, parts_of, row_or_said, target_of

#: Where a pose lies, the likeliest to be complete first; others in its run are copies.
_POSE = re.compile(
    rf"(?:(?P<run>.+)/)?(?:swarm_(?P<swarm>\d+)/lightdock_(?P<glowworm>\d+)"
    rf"|(?P<copies>filtered|clustered)/swarm_(?P<swarm_of_copy>\d+)_(?P<glowworm_of_copy>\d+)"
    rf"|top_(?P<rank>\d+)){PDB}"
)
_ORDER = {"swarm": 0, "filtered": 1, "clustered": 2, "top": 3}
_STEP = re.compile(r"gso_(\d+)\.out")
_RANKING = "rank_by_scoring.list"


def _kind(pose: re.Match[str]) -> str:
    return "swarm" if pose["swarm"] else pose["copies"] or "top"


def _pose_of(pose: re.Match[str]) -> tuple[str, str]:
    """Numbers of the swarm and of the glowworm."""
    return pose["swarm"] or pose["swarm_of_copy"], pose["glowworm"] or pose["glowworm_of_copy"]


def _place(path: str, root: str) -> Place | None:
    pose = _POSE.fullmatch(path)
    if pose is None:
        return None
    target = target_of(pose["run"] or "", root)
    if pose["rank"]:
        return Place("lightdock", target, f"{target}_top_{pose['rank']}")
    swarm, glowworm = _pose_of(pose)
    return Place("lightdock", target, f"{target}_swarm_{swarm}_{glowworm}")


def _kept(paths: Iterable[str]) -> Callable[[str], bool]:
    best: dict[str, int] = {}
    for path in paths:
        pose = _POSE.fullmatch(path)
        if pose is not None:
            run = pose["run"] or ""
            best[run] = min(best.get(run, len(_ORDER)), _ORDER[_kind(pose)])

    def counts(path: str) -> bool:
        pose = _POSE.fullmatch(path)
        return pose is None or _ORDER[_kind(pose)] == best.get(pose["run"] or "")

    return counts


def _swarm_table(content: bytes) -> ScoreTable:
    """Of gso_<step>.out, by the glowworm: its number is that of its line."""
    lines = [line for line in content.decode().splitlines() if not line.startswith("#")]
    rows, damage = {}, ""
    for glowworm, line in enumerate(lines):
        # Behind the coordinates: luciferin, neighbours, vision range and scoring, in newer files after two conformers.
        words = line.rpartition(")")[2].split() if ")" in line else []
        if len(words) in (4, 6):
            rows[str(glowworm)] = numbers_of({"lightdock": words[-1], "lightdock_luciferin": words[-4]})
        else:
            damage = f"has no scores in the line of glowworm {glowworm}"
    if not rows:
        raise ValueError("is no output of a swarm: lines of coordinates in brackets and scores were expected")
    return ScoreTable(rows, damage)


def _ranking_table(content: bytes) -> ScoreTable:
    """Of rank_by_scoring.list, by swarm and glowworm (``1_18``) and by rank (``top_1``)."""
    rows, damage = {}, ""
    lines = content.decode().splitlines()[1:]
    for rank, line in enumerate(lines, start=1):
        first, behind = line.partition("(")[0].split(), line.rpartition(")")[2].split()
        if len(first) == 2 and len(behind) == 9:
            row = numbers_of({"lightdock": behind[8], "lightdock_luciferin": behind[2]})
            rows[f"{first[0]}_{first[1]}"] = rows[f"top_{rank}"] = row
        else:
            damage = f"line {rank + 1} is no line of a ranking"
    if not rows:
        raise ValueError("is no ranking: lines of swarm, glowworm, coordinates in brackets and scores were expected")
    return ScoreTable(rows, damage)


def _scores(beside: Beside, path: str) -> Scores:
    """From the last step of the pose's swarm; the ranking says the same with fewer digits, and not of all poses."""
    pose = _POSE.fullmatch(path)
    if pose is None:
        return Scores()
    run = pose["run"] or ""
    problems: list[str] = []
    if not pose["rank"]:
        swarm, glowworm = _pose_of(pose)
        folder = joined(run, f"swarm_{swarm}")
        steps = [int(match[1]) for name in beside.names(folder) if (match := _STEP.fullmatch(name))]
        output = f"{folder}/gso_{max(steps)}.out" if steps else f"{folder}/gso_<step>.out"
        if steps:
            table = parsed_or_said(beside, output, _swarm_table, problems)
            if table is not None and glowworm in table.rows:
                return Scores(table.rows[glowworm])
            row_or_said(table, glowworm, output, problems)
        elif _RANKING not in beside.names(run):
            return Scores(problems=(f"{output}: is missing, and so is {joined(run, _RANKING)}; no scores",))
    key = f"top_{pose['rank']}" if pose["rank"] else "_".join(_pose_of(pose))
    ranking = joined(run, _RANKING)
    if problems and _RANKING not in beside.names(run):
        return Scores(problems=tuple(problems))
    values = row_or_said(parsed_or_said(beside, ranking, _ranking_table, problems), key, ranking, problems)
    return Scores(values, problems=tuple(problems))


LAYOUT = Layout(
    name="lightdock",
    program="LightDock",
    words=("swarm_",),
    evidence=re.compile(rf"(?:^|/)swarm_\d+/(?:gso_\d+\.out|lightdock_\d+{PDB})$|(?:^|/)filtered/swarm_\d+_\d+{PDB}$"),
    place=_place,
    scores=_scores,
    kept=_kept,
)
