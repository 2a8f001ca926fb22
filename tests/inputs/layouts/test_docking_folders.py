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
from stagea_mpi.inputs.layouts import kept, layout, place_of, recognised
from stagea_mpi.inputs.layouts.beside import FolderBeside, TarBeside, ZipBeside, _parsed

from .made_docking_folders import MAKERS, MadeFolder, haddock3, lightdock, pose, put, rfdiffusion

DATA = Path(__file__).parents[2] / "data"


def paths_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def found_in(root: Path, name: str) -> dict:
    """Places of the models that count, by their paths."""
    placed = {path: place_of(path, root.name, (name,)) for path in paths_below(root)}
    placed = {path: place for path, place in placed.items() if place is not None}
    counts = layout(name).kept(placed)
    return {path: place for path, place in placed.items() if counts(path)}


def said_of(name: str, beside, path: str) -> tuple[dict[str, float], tuple[str, ...]]:
    """A model's scores and problems."""
    said = layout(name).scores(beside, path)
    return dict(said.values), said.problems


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


def test_a_run_of_haddock3_that_ended_before_its_refinement_counts_with_what_it_has(tmp_path):
    root = tmp_path / "input"
    haddock3(root, ("run1", "run2"))
    for path in (root / "run1" / "3_emref").iterdir():
        path.unlink()
    found = found_in(root, "haddock3")
    assert [place.name for place in found.values()] == [f"run1_rigidbody_{k}" for k in range(1, 5)] + [
        "run2_emref_1", "run2_emref_2",
    ]  # fmt: skip
    docked = "run1/1_rigidbody/rigidbody_2.pdb.gz"
    assert said_of("haddock3", FolderBeside(str(root)), docked) == ({"score_haddock": -22.0}, ())


def test_a_module_of_haddock3_may_be_the_input_folder_itself(tmp_path):
    haddock3(tmp_path, ("run1",))
    root = tmp_path / "run1" / "3_emref"
    assert recognised(paths_below(root)) == ("haddock3",)
    found = found_in(root, "haddock3")
    assert [place.name for place in found.values()] == ["3_emref_emref_1", "3_emref_emref_2"]
    values, problems = said_of("haddock3", FolderBeside(str(root)), "emref_1.pdb.gz")
    assert (values["score_haddock"], problems) == (-88.5, ())


def test_models_of_haddock3_that_a_user_has_collected_are_models_in_any_folder(tmp_path):
    for path in ("1_best/emref_3.pdb", "8ABC/emref_3.pdb", "run1/2_seletop/emref_3.pdb", "run1/3_emref/top/x.pdb"):
        put(tmp_path, path, pose(0))
    found = found_in(tmp_path, "haddock3")
    assert {path: place.name for path, place in found.items()} == {
        "1_best/emref_3.pdb": "1_best_emref_3", "8ABC/emref_3.pdb": "8ABC_emref_3",
    }  # fmt: skip


def test_metrics_that_a_file_of_rfdiffusion3_does_not_have_are_missed(tmp_path):
    root = tmp_path / "input"
    rfdiffusion(root)
    stem = "rfd3/binder_insulinr_0_model_0"
    for said, found in ({"ckpt_path": "rfd3.ckpt", "seed": 7}, "ckpt_path, seed"), ({}, "none"):
        put(root, f"{stem}.json", json.dumps(said))
        problems = (f"{stem}.json: has no metrics; found {found}",)
        assert said_of("rfdiffusion", FolderBeside(str(root)), f"{stem}.cif.gz") == ({}, problems)
        _parsed.cache_clear()


class Reversed(frozenset):
    """Names in an order of their own, as a set may have them."""

    def __iter__(self):
        return iter(sorted(super().__iter__(), reverse=True))


def test_of_a_module_that_was_done_again_by_hand_the_first_table_counts(tmp_path, monkeypatch):
    root = tmp_path / "input"
    haddock3(root, ("run1",))
    again = root / "run1" / "4_caprieval_interactive" / "capri_ss.tsv"
    again.parent.mkdir()
    again.write_text((root / "run1/4_caprieval/capri_ss.tsv").read_text().replace("2.500", "9.500"))
    beside = FolderBeside(str(root))
    names = beside.names
    for order in (frozenset, Reversed):
        monkeypatch.setattr(beside, "names", lambda folder, order=order: order(names(folder)))
        assert said_of("haddock3", beside, "run1/3_emref/emref_1.pdb.gz")[0]["score_capri_irmsd"] == 2.5


def test_copies_of_chosen_models_count_where_nothing_else_is_left_of_a_run_of_haddock3(tmp_path):
    root = tmp_path / "input"
    haddock3(root, ("run1", "run2"))
    for folder in ("1_rigidbody", "3_emref"):
        shutil.rmtree(root / "run1" / folder)
    copy = "run1/5_seletopclusts/cluster_1_model_1.pdb.gz"
    put(root, "run1/5_seletopclusts/io.json", json.dumps({"output": [{"file_name": Path(copy).stem, "score": -89.5}]}))
    found = found_in(root, "haddock3")
    assert {path: (place.name, place.target) for path, place in found.items()} == {
        copy: ("run1_cluster_1_model_1", "run1"),
        "run2/3_emref/emref_1.pdb.gz": ("run2_emref_1", "run2"),
        "run2/3_emref/emref_2.pdb.gz": ("run2_emref_2", "run2"),
    }
    values, problems = said_of("haddock3", FolderBeside(str(root)), copy)
    assert (values["score_haddock"], values["score_capri_irmsd"], values["score_capri_cluster_id"]) == (-89.5, 3.5, 1.0)
    assert problems == ()


def test_a_table_of_clusters_alone_tells_of_the_models_that_they_were_chosen_from(tmp_path):
    root = tmp_path / "input"
    haddock3(root, ("run1",))
    shutil.rmtree(root / "run1" / "4_caprieval")
    beside = FolderBeside(str(root))
    values, problems = said_of("haddock3", beside, "run1/3_emref/emref_2.pdb.gz")
    assert (values["score_capri_irmsd"], values["score_capri_cluster_id"], problems) == (3.5, 1.0, ())
    values, problems = said_of("haddock3", beside, "run1/3_emref/emref_1.pdb.gz")  # of no cluster
    assert (values["score_haddock"], problems) == (-88.5, ())
    assert not any(name.startswith("score_capri_") for name in values)
    (root / "run1" / "5_seletopclusts" / "seletopclusts.txt").unlink()
    problems = said_of("haddock3", beside, "run1/3_emref/emref_2.pdb.gz")[1]
    assert problems == ("run1/5_seletopclusts/seletopclusts.txt: is not there; the model has no scores of its cluster",)


def test_what_io_json_names_of_python_is_not_made(tmp_path):
    root = tmp_path / "input"
    haddock3(root, ("run1",))
    # jsonpickle would make a folder of this.
    made = {"py/reduce": [{"py/function": "os.mkdir"}, {"py/tuple": [str(tmp_path / "made")]}]}
    text = (root / "run1/3_emref/io.json").read_text()
    said = json.loads(text)
    said["output"].insert(0, made)
    said["output"][1]["score"] = made
    put(root, "run1/3_emref/io.json", json.dumps(said))
    values, problems = said_of("haddock3", FolderBeside(str(root)), "run1/3_emref/emref_1.pdb.gz")
    assert (values.get("score_haddock"), values["score_capri_vdw"]) == (None, -41.5)
    assert problems[0].startswith("run1/3_emref/io.json: has no number as the score of emref_1.pdb")
    assert not (tmp_path / "made").exists()


def test_real_files_of_haddock3_give_their_scores(tmp_path):
    put(tmp_path, "run1/5_flexref/io.json", (DATA / "haddock3_io.json").read_bytes())
    put(tmp_path, "run1/6_caprieval/capri_ss.tsv", (DATA / "haddock3_capri_ss.tsv").read_bytes())
    beside = FolderBeside(str(tmp_path))
    values, problems = said_of("haddock3", beside, "run1/5_flexref/flexref_1.pdb.gz")
    assert problems == ()
    # HADDOCK3's default weights of flexref, and what it has made of them.
    weights = {"vdw": 1.0, "elec": 1.0, "air": 0.1, "desolv": 1.0, "bsa": -0.01}
    weighted = sum(weight * values[f"score_{term}"] for term, weight in weights.items())
    assert values["score_haddock"] == -242.31202000000002 == pytest.approx(weighted, abs=1e-9)
    docked = said_of("haddock3", beside, "run1/1_rigidbody/rigidbody_383.pdb")[0]
    assert docked["score_capri_dockq"] == 0.431
    assert docked["score_capri_model_cluster_ranking"] == 1
    assert docked["score_capri_vdw"] == -15.187


def test_copies_of_lightdock_are_models_where_there_is_nothing_else(tmp_path):
    root = tmp_path / "input"
    lightdock(root)
    for path in root.rglob("lightdock_[01].pdb"):
        path.unlink()
    beside = FolderBeside(str(root))
    found = found_in(root, "lightdock")
    assert {path: place.name for path, place in found.items()} == {"4IZ7/filtered/swarm_0_0.pdb": "4IZ7_swarm_0_0"}
    assert layout("lightdock").scores(beside, "4IZ7/filtered/swarm_0_0.pdb").values["score_lightdock"] == 20.01712344
    (root / "4IZ7/filtered/swarm_0_0.pdb").unlink()
    found = found_in(root, "lightdock")
    assert {path: place.name for path, place in found.items()} == {"4IZ7/top_1.pdb": "4IZ7_top_1"}
    assert layout("lightdock").scores(beside, "4IZ7/top_1.pdb").values["score_lightdock"] == 20.017


def test_a_ranking_with_the_poses_that_were_written_after_it_is_lightdocks(tmp_path):
    root = tmp_path / "input"
    lightdock(root)
    for path in (root / "4IZ7").iterdir():
        if path.name not in ("top_1.pdb", "rank_by_scoring.list"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert recognised(paths_below(root)) == ("lightdock",)
    found = found_in(root, "lightdock")
    assert {path: place.name for path, place in found.items()} == {"4IZ7/top_1.pdb": "4IZ7_top_1"}


def test_the_ranking_of_lightdock_tells_what_a_swarms_output_does_not(tmp_path):
    root = tmp_path / "input"
    lightdock(root)
    (root / "4IZ7/swarm_0/gso_100.out").unlink()
    beside = FolderBeside(str(root))
    one, other = "4IZ7/swarm_0/lightdock_0.pdb", "4IZ7/swarm_0/lightdock_1.pdb"
    ranked = {"score_lightdock": 20.017, "score_lightdock_luciferin": 10.00856}
    assert said_of("lightdock", beside, one) == (ranked, ())
    values, problems = said_of("lightdock", beside, other)
    assert (values, len(problems)) == ({}, 1)
    assert problems[0].startswith("4IZ7/rank_by_scoring.list: has no line for 0_1")
    (root / "4IZ7/rank_by_scoring.list").unlink()
    values, problems = said_of("lightdock", beside, one)
    assert (values, len(problems)) == ({}, 1)
    assert problems[0].startswith("4IZ7/swarm_0/gso_*.out: is not there")


@pytest.mark.parametrize("damage", [b"", b"#Coordinates\n(1, 2", b"\xff" * 50])
def test_a_damaged_output_of_a_swarm_is_named_and_the_ranking_read(tmp_path, damage):
    root = tmp_path / "input"
    lightdock(root)
    put(root, "4IZ7/swarm_0/gso_100.out", damage)
    beside = FolderBeside(str(root))
    values, problems = said_of("lightdock", beside, "4IZ7/swarm_0/lightdock_0.pdb")
    assert (values["score_lightdock"], len(problems)) == (20.017, 1)
    assert problems[0].startswith("4IZ7/swarm_0/gso_100.out: ")
    values, problems = said_of("lightdock", beside, "4IZ7/swarm_0/lightdock_1.pdb")
    assert (values, len(problems)) == ({}, 2)


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
