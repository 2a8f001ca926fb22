"""HADDOCK3: a run's folders of modules, the last of which with complexes counts.

Models of earlier modules are the same ones before their refinement.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .beside import Beside
from .layout import Layout, Place, Scores
from .score_files import (
    PACKED,
    PDB,
    ScoreTable,
    joined,
    numbers_of,
    parsed_or_said,
    parts_of,
    row_or_said,
    target_of,
)

#: Modules that write complexes, each under its own name and a number. What others write are inputs or copies.
_MODULES = "rigidbody|flexref|emref|mdref|emscoring|mdscoring|cgtoaa"
_MODEL = re.compile(
    rf"(?P<name>(?P<module>{_MODULES})_(?P<number>\d+)|(?P<docked>gdock)_\d+_\d+|(?P<top>haddock_top)_\d+){PDB}"
)
_STEP = re.compile(r"(?P<number>\d+)_(?P<module>[a-z]+)(?:_interactive)?")
_CAPRI = re.compile(r"(?P<number>\d+)_caprieval(?:_interactive)?")


def _place(path: str, root: str) -> Place | None:
    folder, name = parts_of(path)
    found = _MODEL.fullmatch(name)
    if found is None:
        return None
    run, step = _step_of(folder)
    module = found["module"] or found["docked"] or "lightdock"
    if step["module"] != module if step else found["module"] is None:
        return None
    target = target_of(run, root)
    number = found["number"]
    return Place("haddock3", target, f"{target}_{found['name']}", sample=None if number is None else int(number))


def _step_of(folder: str) -> tuple[str, re.Match[str] | None]:
    """The run's folder and, where the models lie in a module's folder, what that is called."""
    run, last = parts_of(folder)
    step = _STEP.fullmatch(last)
    return (run, step) if step else (folder, None)


def _kept(paths: Iterable[str]) -> Callable[[str], bool]:
    last: dict[str, int] = {}
    for path in paths:
        run, step = _step_of(parts_of(path)[0])
        if step is not None:
            last[run] = max(last.get(run, 0), int(step["number"]))

    def counts(path: str) -> bool:
        run, step = _step_of(parts_of(path)[0])
        return step is None or int(step["number"]) == last.get(run)

    return counts


def _module_output(content: bytes) -> ScoreTable:
    """Scores and energies by the models' file names, from what `jsonpickle` has written.

    It is read as JSON: whatever it names of Python's is not made.
    """
    said = json.loads(content)
    models = said.get("output") if isinstance(said, dict) else None
    if not isinstance(models, list):
        raise ValueError("is not what HADDOCK3 writes of a module: an object with a list 'output' was expected")
    return ScoreTable({model["file_name"]: _of_model(model) for model in models if _has_name(model)})


def _has_name(model: Any) -> bool:
    return isinstance(model, dict) and isinstance(model.get("file_name"), str)


def _of_model(model: dict[str, Any]) -> dict[str, float]:
    energies = model.get("unw_energies")
    return numbers_of({"haddock": model.get("score")} | (energies if isinstance(energies, dict) else {}))


def _capri_table(content: bytes) -> ScoreTable:
    """Rows of capri_ss.tsv by the module's folder and the file in it."""
    lines = [line for line in content.decode().splitlines() if line and not line.startswith("#")]
    columns = lines[0].split("\t") if lines else []
    if "model" not in columns:
        raise ValueError("is no table of caprieval: a line of columns, 'model' among them, was expected")
    at = columns.index("model")
    rows, damage = {}, ""
    for line in lines[1:]:
        cells = line.split("\t")
        if len(cells) != len(columns):
            damage = f"has a line of {len(cells)} columns, {len(columns)} were expected"
            continue
        rows["/".join(cells[at].split("/")[-2:])] = numbers_of(zip(columns, cells, strict=True), "capri_")
    return ScoreTable(rows, damage)


def _scores(beside: Beside, path: str) -> Scores:
    folder, name = parts_of(path)
    name = PACKED.sub("", name)
    problems: list[str] = []
    output = joined(folder, "io.json")
    values = row_or_said(parsed_or_said(beside, output, _module_output, problems), name, output, problems)
    run, step = _step_of(folder)
    of_capri: dict[str, float] = {}
    for capri in _capri_folders(beside, run, step) if step else ():
        table = parsed_or_said(beside, f"{capri}/capri_ss.tsv", _capri_table, problems)
        key = f"{parts_of(folder)[1]}/{name}"
        # A later one may speak of some models alone, and then knows of their clusters.
        if table is not None and key in table.rows:
            of_capri = table.rows[key] | of_capri
        elif table is not None and table.damage:
            problems.append(f"{capri}/capri_ss.tsv: {table.damage}; its scores are left out")
    return Scores(values | of_capri, problems=tuple(problems))


def _capri_folders(beside: Beside, run: str, step: re.Match[str]) -> Iterator[str]:
    """Folders of caprieval behind a module, in order."""
    found = {int(match["number"]): match[0] for name in beside.names(run) if (match := _CAPRI.fullmatch(name))}
    return (joined(run, found[number]) for number in sorted(found) if number > int(step["number"]))


LAYOUT = Layout(
    name="haddock3",
    program="HADDOCK3",
    words=("_topoaa/", "_caprieval/", "rigidbody_", "flexref_", "emref_", "mdref_", "emscoring_", "mdscoring_", "cgtoaa_"),
    evidence=re.compile(
        rf"(?:^|/)\d+_(?:topoaa|caprieval)/|(?:^|/)(?:{_MODULES})_\d+{PDB}$"
    ),
    place=_place,
    scores=_scores,
    kept=_kept,
)
