"""HADDOCK3: runs that ended early or were cleaned, tables of its modules, and what users collect of them."""

import json
import shutil
from pathlib import Path

import pytest

from stagea_mpi.inputs.layouts import recognised
from stagea_mpi.inputs.layouts.beside import FolderBeside

from .docking import found_in, paths_below, said_of
from .made_docking_folders import haddock3, pose, put

DATA = Path(__file__).parents[2] / "data"


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
