import json
import math
import shutil
import zipfile
from pathlib import Path
from random import Random

import pytest
from made import fv_lines, text_of, write

from stagea_mpi.demo.poses import COMPLEXES, write_poses
from stagea_mpi.inputs import FileNames, list_models
from stagea_mpi.inputs.containers import text_of as model_text
from stagea_mpi.inputs.header_scores import header_scores
from stagea_mpi.inputs.layouts import kept, place_of, recognised
from stagea_mpi.inputs.layouts.beside import FolderBeside, TarBeside, ZipBeside, _parsed

from .docking import found_in, paths_below, said_of
from .made_docking_folders import MAKERS, MadeFolder, pose, put, rfdiffusion

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module", params=MAKERS)
def made(request, tmp_path_factory) -> tuple[str, Path, MadeFolder]:
    root = tmp_path_factory.mktemp(request.param) / "input"
    return request.param, root, MAKERS[request.param](root)


@pytest.fixture
def fresh(made, tmp_path) -> tuple[str, Path, MadeFolder]:
    """The same, to be damaged."""
    root = tmp_path / "input"
    return made[0], root, MAKERS[made[0]](root)


def test_a_program_is_recognised_by_what_it_alone_writes(made):
    name, root, _ = made
    assert recognised(paths_below(root)) == (name,)


def test_every_model_is_found_once_under_its_own_name(made):
    name, root, folder = made
    found = found_in(root, name)
    assert {path: place.name for path, place in found.items()} == folder.names
    assert {path: place.target for path, place in found.items()} == folder.targets
    assert len({place.name for place in found.values()}) == len(found)
    assert {place.layout for place in found.values()} == {name}


def test_scores_are_those_of_the_programs_files(made):
    name, root, folder = made
    beside = FolderBeside(str(root))
    for path, expected in folder.scores.items():
        assert said_of(name, beside, path) == (expected, ()), path


@pytest.mark.parametrize(("form", "beside_of"), [("zip", ZipBeside), ("tar", TarBeside), ("gztar", TarBeside)])
def test_scores_in_an_archive_are_those_of_the_folder(form, beside_of, made, tmp_path):
    name, root, folder = made
    beside = beside_of(shutil.make_archive(str(tmp_path / "all"), form, root))
    for path, expected in folder.scores.items():
        assert said_of(name, beside, path) == (expected, ()), path


def test_scores_in_a_models_text_are_read(made):
    _, root, folder = made
    texts = {}
    for path, name in folder.names.items():
        for ref in list_models(str(root / path)).models:
            texts[ref.name if path.endswith(".qv") else name] = model_text(ref)
    assert {name: header_scores(texts[name]) for name in folder.in_text} == folder.in_text
    assert all(header_scores(text) == {} for name, text in texts.items() if name not in folder.in_text)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "other"])
def test_a_damaged_score_file_costs_its_scores_alone_and_is_named(fresh, damage):
    name, root, folder = fresh
    for file, models in folder.files.items():
        whole = (root / file).read_bytes()
        if damage == "missing":
            (root / file).unlink()
        else:
            content = {"empty": b"", "cut": whole[: len(whole) // 4], "other": b"\x00\xff{]" * 50}[damage]
            (root / file).write_bytes(content)
        assert {path: place.name for path, place in found_in(root, name).items()} == folder.names
        beside = FolderBeside(str(root))
        for path, expected in folder.scores.items():
            values, problems = said_of(name, beside, path)
            if path in models:
                assert values.items() <= expected.items(), path
                assert path != models[0] or len(values) < len(expected)
                named = (Path(file).name, "*.out") if damage == "missing" else (file,)
                assert any(name in problem for name in named for problem in problems), problems
            else:
                assert (values, problems) == (expected, ()), path
        put(root, file, whole)


@pytest.mark.parametrize(
    ("name", "file", "n_left"),
    [("haddock3", "7CFN/run1/4_caprieval/capri_ss.tsv", 30), ("haddock3", "7CFN/run1/4_caprieval/capri_ss.tsv", 8),
     ("zdock", "1AHW/zdock.out", 30), ("zdock", "2NY7/2NY7.zd2.3.cg.out", 0),
     ("cluspro", "AMYR/cluspro_scores.961006.000.csv", 6), ("cluspro", "AMYR/cluspro_scores.961006.002.csv", 0)],
)  # fmt: skip
def test_a_table_that_was_cut_short_costs_the_last_models_scores_alone(name, file, n_left, tmp_path):
    root = tmp_path / "input"
    folder = MAKERS[name](root)
    lines = (root / file).read_bytes().rstrip().split(b"\n")
    n_last = 2 if name == "cluspro" else 1  # lines of the last model
    (root / file).write_bytes(b"\n".join([*lines[:-n_last], lines[-n_last][:n_left]]))
    first, last = folder.files[file]
    beside = FolderBeside(str(root))
    assert said_of(name, beside, first)[0] == folder.scores[first]
    values, problems = said_of(name, beside, last)
    assert values.items() <= folder.scores[last].items()
    assert name == "haddock3" or not values  # which has a second table that tells the same of it
    assert any(problem.startswith(file) for problem in problems), problems


def test_a_model_that_lies_there_in_several_forms_is_one(fresh):
    name, root, folder = fresh
    for path in folder.names:
        base = path.removesuffix(".gz").rpartition(".")[0]
        for other in (".pdb", ".pdb.gz", ".cif"):
            if not (root / (base + other)).exists() and not path.endswith(".qv"):
                put(root, base + other, (root / path).read_bytes())
    found = found_in(root, name)
    assert len(found) == len(folder.names)
    assert sorted(place.name for place in found.values()) == sorted(folder.names.values())


@pytest.mark.parametrize(
    ("name", "file", "number"),
    [("haddock3", "7CFN/run1/3_emref/io.json", b"-88.5"), ("haddock3", "7CFN/run1/4_caprieval/capri_ss.tsv", b"2.500"),
     ("zdock", "1AHW/zdock.out", b"1547.291"), ("cluspro", "AMYR/cluspro_scores.961006.000.csv", b"120"),
     ("lightdock", "4IZ7/swarm_4/gso_100.out", b"17.02339880")],
)  # fmt: skip
def test_a_score_that_is_no_number_is_told(name, file, number, tmp_path):
    root = tmp_path / "input"
    folder = MAKERS[name](root)
    whole = (root / file).read_bytes()
    assert number in whole
    put(root, file, whole.replace(number, b'"x"', 1))
    path = "4IZ7/swarm_4/lightdock_0.pdb" if name == "lightdock" else folder.files[file][0]
    values, problems = said_of(name, FolderBeside(str(root)), path)
    assert len(values) < len(folder.scores[path])
    assert problems[0].startswith(file)


@pytest.mark.parametrize("is_zip", [False, True])
def test_of_cycles_in_a_quiver_file_the_best_counts(is_zip, tmp_path):
    tags = ["a_best", "a_cycle_0", "a_cycle_1", "b_cycle_0"]  # as RF2 writes with output.output_intermediates
    text = b"".join(b"QV_TAG %s\n" % tag.encode() + pose(k) + b"\n" for k, tag in enumerate(tags))
    put(tmp_path, "rf2.qv", text)
    place = place_of("rf2.qv", "root", ["rfantibody"])
    if is_zip:
        with zipfile.ZipFile(tmp_path / "rf2.zip", "w") as archive:
            archive.write(tmp_path / "rf2.qv", "rf2.qv")
        found = list_models(str(tmp_path / "rf2.zip"), FileNames("rf2", "", "rf2_", layouts=("rfantibody",)))
        assert [ref.name for ref in found.models] == ["rf2__a_best", "rf2__b_cycle_0"]
    else:
        found = list_models(str(tmp_path / "rf2.qv"), FileNames("rf2", "", "rf2_", place))
        assert [ref.name for ref in found.models] == ["a_best", "b_cycle_0"]
        assert len(list_models(str(tmp_path / "rf2.qv")).models) == 4  # for whoever takes files for files
    assert [pose(3) in model_text(ref) for ref in found.models] == [False, True]


def test_notes_of_file_systems_beside_models_are_none(made):
    name, _, folder = made
    for path in folder.names:
        hidden = "/._".join(path.rsplit("/", 1))  # as macOS leaves it on disks of others
        assert place_of(hidden, "root", [name]) is None, hidden


def test_plain_docking_folders_are_of_no_program(tmp_path):
    write_poses(tmp_path / "poses", COMPLEXES["7DAA"], 2, seed=5)
    body = text_of(fv_lines())
    for name in ("7DAA/model_1.pdb", "7DAA/complex_1.pdb", "a/cluster1_1.pdb", "a/pose.1.pdb", "top_1.pdb",
                 "x_0.pdb", "swarm/lightdock.pdb", "model.1.pdb", "decoys/rigid.pdb", "b/x_model_0.cif",
                 "1_r/x.pdb"):  # fmt: skip
        write(tmp_path / name, body)
    for name in ("scores.csv", "job.out", "io.json", "b/x.json"):
        (tmp_path / name).write_text("{}")
    assert recognised(paths_below(tmp_path)) == ()


def test_metrics_that_a_file_of_rfdiffusion3_does_not_have_are_missed(tmp_path):
    root = tmp_path / "input"
    rfdiffusion(root)
    stem = "rfd3/binder_insulinr_0_model_0"
    for said, found in ({"ckpt_path": "rfd3.ckpt", "seed": 7}, "ckpt_path, seed"), ({}, "none"):
        put(root, f"{stem}.json", json.dumps(said))
        problems = (f"{stem}.json: has no metrics; found {found}",)
        assert said_of("rfdiffusion", FolderBeside(str(root)), f"{stem}.cif.gz") == ({}, problems)
        _parsed.cache_clear()


def test_two_jobs_of_cluspro_in_one_folder_are_not_mixed_up(tmp_path):
    table = "Cluster,Members,Representative,Weighted Score\n0,{},Center,-1.5\n"
    put(tmp_path, "model.000.00.pdb", pose(0))
    for job, members in (("11", 5), ("12", 7)):
        put(tmp_path, f"cluspro_scores.{job}.000.csv", table.format(members))
    values, problems = said_of("cluspro", FolderBeside(str(tmp_path)), "model.000.00.pdb")
    assert values == {}
    assert "cluspro_scores.11.000.csv, cluspro_scores.12.000.csv" in problems[0]


def test_output_of_several_programs_may_lie_in_one_input_folder(tmp_path):
    root = tmp_path / "input"
    folders = [make(root) for make in MAKERS.values()]
    names = recognised(paths_below(root))
    assert set(names) == set(MAKERS)
    placed = {path: place for path in paths_below(root) if (place := place_of(path, "input", names)) is not None}
    counts = kept(placed, "input", names)
    found = {path: place.name for path, place in placed.items() if counts(path)}
    assert found == {path: name for folder in folders for path, name in folder.names.items()}
    beside = FolderBeside(str(root))
    said = {path: said_of(placed[path].layout, beside, path) for path in found}
    assert said == {path: (scores, ()) for folder in folders for path, scores in folder.scores.items()}


#: What a damaged file may hold where something else was.
JUNK = (
    b'"', b"{", b"[" * 2000, b"\t", b"\n", b",", b"nan", b"1e999", b"9" * 400, b"-", b")", b"(", b"\xff", b"null",
    b"model",
)  # fmt: skip


def spoiled(content: bytes, random: Random) -> bytes:
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(content) + 1)
        end = at + random.choice((0, 0, 1, 20, 1000))
        content = content[:at] + random.choice((b"", *JUNK)) + content[end:]
    return content


def test_whatever_a_damaged_file_holds_scores_are_finite(fresh):
    name, root, folder = fresh
    random = Random(7)
    for file in folder.files:
        whole = (root / file).read_bytes()
        for _ in range(20):
            put(root, file, spoiled(whole, random))
            _parsed.cache_clear()  # by their times, files that follow each other so closely may be the same
            for path in folder.names:
                values, _ = said_of(name, FolderBeside(str(root)), path)
                assert all(math.isfinite(value) for value in values.values())
        put(root, file, whole)


def test_a_table_in_an_archive_is_parsed_once(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run1/io.json", b"{}")
    parsed = []
    for _ in range(3):
        ZipBeside(str(tmp_path / "all.zip")).parsed("run1/io.json", parsed.append)
    assert parsed == [b"{}"]
