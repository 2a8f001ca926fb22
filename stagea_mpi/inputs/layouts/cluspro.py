"""ClusPro: the centers of clusters of each set of coefficients, and a table of scores for each set."""

import csv
import io
import re

from ..header_scores import finite
from .beside import Beside
from .layout import Layout, Place, Scores
from .score_files import PDB, ScoreTable, joined, numbers_of, parsed_or_said, parts_of, row_or_said, target_of

_MODEL = re.compile(rf"(?P<name>model\.(?P<coefficients>\d{{3}})\.(?P<cluster>\d{{2,3}})){PDB}")
_TABLE = re.compile(r"cluspro_scores\.(?P<job>[^.]+)\.(?P<coefficients>\d{3})(?:\.[^/]*)?\.csv")
_JOB = re.compile(r"cluspro\.(?P<job>[^.]+)")
_COLUMNS = ("Cluster", "Members", "Representative", "Weighted Score")


def _place(path: str, root: str) -> Place | None:
    folder, name = parts_of(path)
    found = _MODEL.fullmatch(name)
    if found is None:
        return None
    target = target_of(folder, root)
    return Place("cluspro", target, f"{target}_{found['name']}")


def _clusters(content: bytes) -> ScoreTable:
    """Scores by the number of the cluster: of its center, and of its member with the lowest energy."""
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"is no table of ClusPro: the columns {', '.join(_COLUMNS)} were expected")
    rows: dict[str, dict[str, float]] = {}
    damage, cluster = "", ""
    for row in reader:
        cluster = row["Cluster"] or cluster  # the second line of a cluster may leave it out
        if not cluster.isdecimal() or finite(row["Weighted Score"]) is None:
            damage = f"line {reader.line_num} has no number of a cluster or no score"
            continue
        what = (row["Representative"] or "").strip().lower().replace(" ", "_")
        said = {"members": row["Members"], what: row["Weighted Score"]}
        rows[str(int(cluster))] = numbers_of(said, "cluspro_") | rows.get(str(int(cluster)), {})
    return ScoreTable(rows, damage)


def _scores(beside: Beside, path: str) -> Scores:
    folder, name = parts_of(path)
    found = _MODEL.fullmatch(name)
    if found is None:
        return Scores()
    problems: list[str] = []
    above, own = parts_of(folder)
    job = _JOB.fullmatch(own)
    # The server gives the tables beside the archive with the models.
    tables = [
        joined(place, table[0])
        for place in dict.fromkeys((folder, above))
        for file in sorted(beside.names(place))
        if (table := _TABLE.fullmatch(file)) and table["coefficients"] == found["coefficients"]
        if job is None or table["job"] == job["job"]
    ]
    if len(tables) != 1:
        expected = joined(folder, f"cluspro_scores.{job['job'] if job else '<job>'}.{found['coefficients']}.csv")
        what = f"several could be it, {', '.join(tables)}" if tables else "is missing"
        return Scores(problems=(f"{expected}: {what}; its scores are left out",))
    table = parsed_or_said(beside, tables[0], _clusters, problems)
    values = row_or_said(table, str(int(found["cluster"])), tables[0], problems)
    return Scores(values, problems=tuple(problems))


LAYOUT = Layout(
    name="cluspro",
    program="ClusPro",
    words=("model.", "cluspro_scores."),
    evidence=re.compile(rf"(?:^|/)model\.\d{{3}}\.\d{{2,3}}{PDB}$|(?:^|/)cluspro_scores\.[^/]+\.csv$"),
    place=_place,
    scores=_scores,
)
