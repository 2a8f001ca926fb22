"""ClusPro: the centers of clusters for each set of coefficients, and a table of scores for each set."""

import csv
import io
import re

from ..header_scores import finite
from .beside import Beside
from .layout import Layout, Place, Scores
from .placing import once_in_pdb, parted
from .reading import ScoreFiles
from .tables import Row, numbers_of, row_of, target_of

_MODEL = re.compile(r"model\.(?P<coefficients>\d{3})\.(?P<cluster>\d{2,3})")
_TABLE = re.compile(r"cluspro_scores\.(?P<job>[^.]+)\.(?P<coefficients>\d{3})(?:\..*)?\.csv")
_COLUMNS = ("Cluster", "Members", "Representative", "Weighted Score")


def _place(path: str, root: str) -> Place | None:
    folders, stem = parted(path)
    if _MODEL.fullmatch(stem) is None:
        return None
    target = target_of(folders, root)
    return Place("cluspro", target, f"{target}_{stem}")


def _clusters(content: bytes) -> dict[str, Row]:
    """Scores by the number of the cluster: of its center, and of its member with the lowest energy."""
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    if not set(_COLUMNS).issubset(reader.fieldnames or ()):
        raise ValueError(f"is no table of ClusPro: the columns {', '.join(_COLUMNS)} were expected")
    rows: dict[str, Row] = {}
    cluster = ""
    for line in reader:
        cluster = line["Cluster"] or cluster  # the second line of a cluster may leave it out
        cluster = str(int(cluster)) if cluster.isdecimal() else cluster
        what = (line["Representative"] or "").strip().lower().replace(" ", "_")
        is_whole = what and finite(line["Weighted Score"]) is not None and finite(line["Members"] or "0") is not None
        if not cluster.isdecimal() or not is_whole:
            rows[cluster] = f"line {reader.line_num} has no cluster, no representative or no score"
            continue
        said = numbers_of({"members": line["Members"], what: line["Weighted Score"]}, "cluspro_")
        before = rows.setdefault(cluster, {})
        if isinstance(before, dict):
            before |= said
    if not rows:
        raise ValueError("has no line for any cluster")
    return rows


def _scores(beside: Beside, path: str) -> Scores:
    """From the table of its set, which the server gives beside the archive with the models."""
    folders, stem = parted(path)
    files = ScoreFiles(beside, path)
    found = _MODEL.fullmatch(stem)
    if found is None:
        return files.scores({})
    job = folders[-1].removeprefix("cluspro.") if folders and folders[-1].startswith("cluspro.") else None
    tables = [
        before + table[0]
        for folder, before in ((folders, ""), (folders[:-1], "../"))[: 2 if folders else 1]
        for table in map(_TABLE.fullmatch, sorted(beside.names("/".join(folder))))
        if table and table["coefficients"] == found["coefficients"] and (job is None or table["job"] == job)
    ]
    if len(tables) > 1:
        files.problems.append(f"{path}: several tables could be that of its job: {', '.join(tables)}; keep one")
        return files.scores({})
    expected = f"cluspro_scores.{job or '*'}.{found['coefficients']}.csv"
    table = files.table(tables[0] if tables else expected, _clusters).required()
    return files.scores(row_of(files, table, str(int(found["cluster"]))))


LAYOUT = Layout(
    name="cluspro",
    program="ClusPro",
    words=("model.", "cluspro_scores."),
    evidence=re.compile(r"(?:^|/)model\.\d{3}\.\d{2,3}\.pdb|(?:^|/)cluspro_scores\.[^/]+\.csv$"),
    place=_place,
    scores=_scores,
    kept=once_in_pdb,
)
