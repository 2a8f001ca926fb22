"""HADDOCK3: a run's folders of modules, the last of which with complexes counts.

Models of earlier modules are the same ones before their refinement.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from ..header_scores import finite
from .beside import Beside
from .layout import NOWHERE, Layout, Place, Scores
from .placing import Forms, parted
from .reading import ScoreFiles
from .tables import Row, numbers_of, row_of, target_of

#: Modules that write complexes, each under its own name and a number. What others write are inputs or copies.
_MODULES = "rigidbody|flexref|emref|mdref|emscoring|mdscoring|cgtoaa"
_MODEL = re.compile(rf"(?P<module>{_MODULES})_(?P<number>\d{{1,18}})|(?P<docked>gdock)_\d+_\d+|haddock_top_\d+")
#: A folder of a module; one of another name is any folder.
_STEP = re.compile(
    rf"(?P<number>\d+)_(?P<module>{_MODULES}|topoaa|topocg|gdock|lightdock|openmm|seletop|seletopclusts|clustfcc|clustrmsd"
    r"|caprieval|caprifilter|filter|alascan|rnascan|contactmap|rmsdmatrix|ilrmsdmatrix|deeprank|prodigyprotein|sasascore)"
    r"(?:_interactive)?"
)
#: Folders of a run in which whatever is no module's model is an input or a copy.
_OF_RUN = re.compile(rf"{_STEP.pattern}(?:_analysis)?")
#: How a table of caprieval says that there is no such number, or no cluster.
_NONE = ("-", "nan", "", "None", "Unclustered")
_CAPRI = re.compile(r"(?P<number>\d+)_caprieval(?:_interactive)?")
#: What copies the best models of each cluster, under names of its own.
_CHOSEN = re.compile(r"(?P<number>\d+)_seletopclusts(?:_interactive)?")
_COPY = re.compile(r"cluster_\d+_model_\d+")


def _place(path: str, root: str) -> Place | None:
    folders, stem = parted(path)
    found, step = _MODEL.fullmatch(stem), _step(folders)
    module = found and (found["module"] or found["docked"] or "lightdock")
    if step and step["module"] == "seletopclusts" and _COPY.fullmatch(stem):
        target = target_of(folders[:-1], root)
        return Place("haddock3", target, f"{target}_{stem}")
    if found is None or (step["module"] != module if step else found["module"] is None):
        return NOWHERE if any(map(_OF_RUN.fullmatch, folders)) else None
    target = target_of(folders[:-1] if step else folders, root)
    number = found["number"]
    return Place("haddock3", target, f"{target}_{stem}", sample=None if number is None else int(number))


def _step(folders: list[str]) -> re.Match[str] | None:
    """The module's folder in which models lie, if they lie in one."""
    return _STEP.fullmatch(folders[-1]) if folders else None


def _run_and_step(path: str) -> tuple[str, int | None, bool]:
    """A model's run, the number of its module, and whether it is a copy of another module's."""
    folder = path.rpartition("/")[0]
    run, _, last = folder.rpartition("/")
    step = _STEP.fullmatch(last)
    return (run, int(step["number"]), step["module"] == "seletopclusts") if step else (folder, None, False)


def _kept(paths: Iterable[str]) -> Callable[[str], bool]:
    """The last module's models count, and copies where nothing else is left of a run."""
    forms = Forms(is_pdb=True)
    last: dict[tuple[str, bool], int] = {}
    for path in paths:
        forms.add(path)
        run, number, is_copy = _run_and_step(path)
        if number is not None:
            last[run, is_copy] = max(last.get((run, is_copy), 0), number)

    def counts(path: str) -> bool:
        run, number, is_copy = _run_and_step(path)
        if is_copy and (run, False) in last:
            return False
        return (number is None or number == last[run, is_copy]) and forms.is_first(path)

    return counts


def _module_output(content: bytes) -> dict[str, Row]:
    """Scores and energies by the models' file names, from what jsonpickle has written.

    It is read as JSON: whatever it names of Python's is not made.
    """
    try:
        said = json.loads(content)
    except ValueError as error:
        raise ValueError(f"is no JSON, or cut short ({error})") from error
    models = said.get("output") if isinstance(said, dict) else None
    if not isinstance(models, list):
        raise ValueError("is not what HADDOCK3 writes of a module: an object with a list 'output' was expected")
    named = [model for model in models if isinstance(model, dict) and isinstance(model.get("file_name"), str)]
    if not named:
        raise ValueError("names no model: a list 'output' of models, each with its 'file_name', was expected")
    return {model["file_name"]: _of_model(model) for model in named}


def _of_model(model: dict[str, Any]) -> Row:
    score, energies = model.get("score"), model.get("unw_energies")
    if not isinstance(score, float | int | None):
        return f"has no number as the score of {model['file_name']}"
    return numbers_of({"haddock": score} | (energies if isinstance(energies, dict) else {}))


def _capri_table(content: bytes) -> dict[str, Row]:
    """Rows of capri_ss.tsv by the module's folder and the file in it."""
    lines = [line for line in content.decode().splitlines() if line and not line.startswith("#")]
    columns = lines[0].split("\t") if lines else []
    if columns[:1] != ["model"] or not lines[1:]:
        raise ValueError("is no table of caprieval: a line of columns from 'model' on, and lines, were expected")
    named = [line.split("\t") for line in lines[1:]]
    return {"/".join(cells[0].split("/")[-2:]): _of_capri(columns, cells) for cells in named}


def _of_capri(columns: list[str], cells: list[str]) -> Row:
    if len(cells) != len(columns):
        return f"has {len(cells)} columns in the line of {cells[0]}, expected {len(columns)}"
    said = dict(zip(columns, cells, strict=True))
    wrong = [name for name in columns[2:] if finite(said[name]) is None and said[name] not in _NONE]
    return f"has no number as {wrong[0]} of {cells[0]}" if wrong else numbers_of(said, "capri_")


def _chosen_models(content: bytes) -> dict[str, str]:
    """Names that seletopclusts.txt gives to the models that are copied, by a model's folder and file."""
    lines = [line.split("\t") for line in content.decode().splitlines()]
    if not lines or "rel_path" not in lines[0] or "cluster_name" not in lines[0]:
        raise ValueError("is no table of seletopclusts: the columns rel_path and cluster_name were expected")
    path, name = lines[0].index("rel_path"), lines[0].index("cluster_name")
    return {"/".join(cells[path].split("/")[-2:]): cells[name] for cells in lines[1:] if len(cells) > max(path, name)}


def _scores(beside: Beside, path: str) -> Scores:
    folders, stem = parted(path)
    files = ScoreFiles(beside, path)
    values = row_of(files, files.table("io.json", _module_output).required(), f"{stem}.pdb")
    step = _step(folders)
    return files.scores(values | (_capri_scores(beside, files, folders, stem, int(step["number"])) if step else {}))


def _capri_scores(beside: Beside, files: ScoreFiles, folders: list[str], stem: str, own: int) -> dict[str, float]:
    """From the modules behind a model's own, in their order."""
    names = [f"{folders[-1]}/{stem}.pdb"]
    values: dict[str, float] = {}
    for folder in _later(beside, folders, own):
        if _CHOSEN.fullmatch(folder):
            table = files.table(f"../{folder}/seletopclusts.txt", _chosen_models).required("scores of its cluster")
            names += [f"{folder}/{table.content[name]}" for name in names if name in table.content]
            continue
        table = files.table(f"../{folder}/capri_ss.tsv", _capri_table).required("scores of caprieval")
        name = next((name for name in reversed(names) if name in table.content), names[-1])
        # A later one may tell of some models alone, and then knows of their clusters.
        values = row_of(files, table, name, is_optional=True) | values
    return values


def _later(beside: Beside, folders: list[str], own: int) -> list[str]:
    """Folders of caprieval and seletopclusts behind a module, in their order."""
    names = beside.names("/".join(folders[:-1]))
    found = filter(None, (_CAPRI.fullmatch(name) or _CHOSEN.fullmatch(name) for name in names))
    # A module that was done again by hand, "…_interactive", comes behind the one of its number.
    ordered = sorted(found, key=lambda match: (int(match["number"]), match[0]))
    return [match[0] for match in ordered if int(match["number"]) > own]


LAYOUT = Layout(
    name="haddock3",
    program="HADDOCK3",
    words=("_topoaa/", "_caprieval/", "rigidbody_", "ref_", "scoring_", "cgtoaa_"),
    evidence=re.compile(rf"(?:^|/)\d+_(?:topoaa|caprieval)/|(?:^|/)(?:{_MODULES})_\d+\.pdb"),
    place=_place,
    scores=_scores,
    kept=_kept,
)
