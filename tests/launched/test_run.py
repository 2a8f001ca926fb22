"""Whole runs as a user starts them: under mpiexec, or alone."""

import json
import os

import h5py
import pytest
from holding import Hold, end_of
from launching import published


def same_packed(a, b) -> bool:
    """Whether two packed.h5 agree in all but times and ranks."""
    with h5py.File(a) as one, h5py.File(b) as other:
        names: list[str] = []
        one.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        same = [name for name in names if name not in ("model/seconds", "model/rank")]
        return all((one[name][()] == other[name][()]).all() for name in same)


@pytest.mark.parametrize("ranks", [1, 3, 4])  # two ranks are compared with one below
def test_any_number_of_ranks_publishes_the_same_files(ranks, poses, run_yaml, launch, undisturbed):
    path = run_yaml(poses, f"on_{ranks}", max_per_shard=3, min_per_shard=1)
    done = launch(ranks, "run", path)
    assert done.returncode == 0, done.stdout
    assert "6 of 6 models are in" in done.stdout
    assert published(path) == published(undisturbed)
    for shard in ("shard_000000", "shard_000001"):
        packed = [p.with_suffix("") / "shards" / shard / "packed.h5" for p in (path, undisturbed)]
        assert same_packed(*packed)


def test_a_bug_that_one_model_meets_costs_only_that_model(poses, run_yaml, launch):
    path = run_yaml(poses, max_failed_fraction=0.5)
    done = launch(2, "a bug in one model", "run", path, module="tests.launched.broken_rank")
    assert done.returncode == 0, done.stdout
    failures = (path.with_suffix("") / "shards/shard_000000/failures.tsv").read_text().splitlines()
    assert len(failures) == 2
    assert failures[1].startswith("pose_0002\t")
    assert "\tunexpected\tZeroDivisionError: a fault made for the test" in failures[1]
    assert "5 of 6 models are in" in done.stdout


def test_a_run_stopped_between_the_phases_goes_on_with_clustering(poses, run_yaml, launch, undisturbed):
    path = run_yaml(poses, "phases", max_per_shard=3, min_per_shard=1)
    shard = path.with_suffix("") / "shards" / "shard_000000"
    prepared = launch(2, "run", path, "--prep-graphs-only")
    assert prepared.returncode == 0, prepared.stdout
    assert (shard / "STAGEA_GRAPHS_DONE").exists()
    assert not (shard / "STAGEA_DONE").exists()
    with h5py.File(shard / "graphs.h5") as file:
        assert "clustering" not in file["pose_0001"]
    built = (shard / "packed.h5").stat().st_mtime_ns
    clustered = launch(2, "run", path, STAGEA_PHASE="cluster_only")
    assert clustered.returncode == 0, clustered.stdout
    assert "2 clustered" in clustered.stdout
    assert (shard / "packed.h5").stat().st_mtime_ns > built
    assert published(path) == published(undisturbed)


def test_full_only_clusters_what_is_prepared(poses, run_yaml, launch, undisturbed):
    path = run_yaml(poses, "prepared", max_per_shard=3, min_per_shard=1)
    launch(2, "run", path, "--phase", "prep_graphs")
    meta = json.loads((path.with_suffix("") / "shards/shard_000000/meta_stageA.json").read_text())
    full = launch(1, "run", path)
    assert full.returncode == 0, full.stdout
    after = json.loads((path.with_suffix("") / "shards/shard_000000/meta_stageA.json").read_text())
    assert after["result"]["graphs_s"] == meta["result"]["graphs_s"]
    assert published(path) == published(undisturbed)


@pytest.mark.parametrize("ranks", [1, 2])
def test_clustering_first_says_which_run_must_come_before(ranks, poses, run_yaml, launch):
    done = launch(ranks, "run", run_yaml(poses, max_per_shard=3, min_per_shard=1), "--cluster-only")
    assert done.returncode == 2
    assert done.stdout.count("--phase prep_graphs") == 1
    assert "MPI_ABORT" not in done.stdout


def test_without_clusters_a_shard_is_done_and_can_be_clustered_later(poses, run_yaml, launch, undisturbed):
    path = run_yaml(poses, "later", max_per_shard=3, min_per_shard=1)
    done = launch(1, "run", path, "--no-cluster")
    assert done.returncode == 0, done.stdout
    assert (path.with_suffix("") / "shards/shard_000000/STAGEA_DONE").exists()
    again = launch(1, "run", path)
    assert again.returncode == 0, again.stdout
    assert published(path) == published(undisturbed)


def test_without_graphs_a_run_says_where_its_models_are_and_ranks_export_them(poses, run_yaml, launch, undisturbed):
    path = run_yaml(poses, "without", max_per_shard=3, min_per_shard=1, write_graphs=0)
    root = path.with_suffix("")
    done = launch(2, "run", path)
    assert done.returncode == 0, done.stdout
    assert f"6 of 6 models are in {root}/shards/*/packed.h5" in done.stdout
    assert not list(root.glob("shards/*/graphs.h5"))
    (root / "shards/shard_000001/STAGEA_DONE").rename(root / "kept")
    refused = launch(2, "export", root)
    assert refused.returncode == 2, refused.stdout
    assert refused.stdout.count("shard_000001: is not done: its graphs are still to be clustered") == 1
    (root / "kept").rename(root / "shards/shard_000001/STAGEA_DONE")
    exported = launch(2, "export", root, "--shards", "0-1")
    assert exported.returncode == 0, exported.stdout
    assert exported.stdout.count(f"6 models are in {root}/shards/*/graphs.h5") == 1
    assert published(path) == published(undisturbed)


def test_a_run_repeated_changes_no_published_file(poses, run_yaml, launch, undisturbed):
    shards = undisturbed.with_suffix("") / "shards"
    before = {path: path.stat().st_mtime_ns for path in shards.glob("*/*")}
    again = launch(2, "run", undisturbed)
    assert "2 skipped" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in shards.glob("*/*")} == before


def test_other_chains_are_refused_by_name_and_computed_with_force(poses, run_yaml, launch):
    path = run_yaml(poses)
    assert launch(1, "run", path).returncode == 0
    path.write_text(path.read_text().replace("light: L", "light: '-'"))
    refused = launch(1, "run", path)
    assert refused.returncode == 2
    assert "chains was {'heavy': 'H', 'light': 'L'" in refused.stdout
    assert "--force" in refused.stdout
    forced = launch(2, "run", path, "--force")
    assert forced.returncode == 0, forced.stdout
    assert "1 built" in forced.stdout


def test_a_changed_input_file_is_refused_by_name(poses, run_yaml, launch, tmp_path):
    folder = tmp_path / "input"
    folder.mkdir()
    for pose in poses.glob("*.pdb"):
        (folder / pose.name).write_bytes(pose.read_bytes())
    path = run_yaml(folder, max_failed_fraction=0.5)
    assert launch(1, "run", path).returncode == 0
    changed = folder / "pose_0002.pdb"
    os.utime(changed)
    touched = launch(1, "run", path)
    assert touched.returncode == 0, "a new time with the old content is no change\n" + touched.stdout
    changed.write_bytes((folder / "pose_0001.pdb").read_bytes())
    refused = launch(1, "run", path)
    assert refused.returncode == 2
    assert "pose_0002.pdb" in refused.stdout
    assert launch(1, "run", path, "--force").returncode == 0


def test_too_many_failed_models_end_with_4_and_a_higher_limit_finishes(poses, run_yaml, launch, tmp_path):
    folder = tmp_path / "input"
    folder.mkdir()
    for pose in sorted(poses.glob("*.pdb"))[:3]:
        (folder / pose.name).write_bytes(pose.read_bytes())
    (folder / "empty.pdb").write_text("REMARK nothing\n")
    path = run_yaml(folder)
    done = launch(2, "run", path)
    assert done.returncode == 4
    assert "1 of 4 models failed, more than max_failed_fraction = 0.1" in done.stdout
    shard = path.with_suffix("") / "shards/shard_000000"
    assert not (shard / "STAGEA_DONE").exists()
    assert "empty\t" in (shard / "failures.tsv").read_text()
    path = run_yaml(folder, max_failed_fraction=0.5)
    again = launch(2, "run", path)
    assert again.returncode == 0, again.stdout
    assert (shard / "STAGEA_DONE").exists()


def test_a_second_run_on_one_folder_says_who_holds_it(poses, run_yaml, launch, tmp_path):
    path = run_yaml(poses)
    hold = Hold(tmp_path / "held")
    first = launch(0, f"held {hold.folder}", "run", path, module="tests.launched.broken_rank", wait=False)
    hold.wait()
    second = launch(1, "run", path)
    assert second.returncode == 1
    assert f"is being written by process {first.pid}" in second.stdout
    hold.let_go()
    code, output = end_of(first)
    assert code == 0, output


def test_a_dead_holder_of_a_shard_is_replaced(poses, run_yaml, launch):
    path = run_yaml(poses)
    child = launch(0, "dies before model on first", "run", path, module="tests.launched.broken_rank", wait=False)
    end_of(child)
    assert (path.with_suffix("") / "shards/shard_000000/.lock").exists()
    assert launch(1, "run", path).returncode == 0
    assert not (path.with_suffix("") / "shards/shard_000000/.lock").exists()


def test_a_missing_library_is_one_clear_error_on_any_rank(poses, run_yaml, launch, tmp_path):
    (tmp_path / "pyhmmer.py").write_text("raise ImportError('no library')\n")
    for ranks in (0, 2):
        done = launch(ranks, "run", run_yaml(poses), PYTHONPATH=str(tmp_path))
        assert done.returncode == 1
        assert "anarci or pyhmmer cannot be imported (no library); install both" in done.stdout
        assert "Traceback" not in done.stdout


def test_separate_worlds_are_refused_at_once(poses, run_yaml, launch):
    path = run_yaml(poses)
    without_pmix = launch(0, "run", path, SLURM_STEP_NUM_TASKS="4", SLURM_STEP_ID="0", SLURM_PROCID="0")
    assert without_pmix.returncode == 1
    assert "srun started 4 ranks without PMIx" in without_pmix.stdout
    other_mpi = launch(0, "run", path, PMI_SIZE="4", PMI_RANK="0")
    assert other_mpi.returncode == 1
    assert "this process is alone in its world" in other_mpi.stdout


def test_a_wrong_key_ends_with_2_and_names_the_nearest(poses, run_yaml, launch):
    path = run_yaml(poses, max_per_shart=3)
    done = launch(2, "run", path)
    assert done.returncode == 2
    assert done.stdout.count("did you mean stage_a.max_per_shard?") == 1


def test_the_command_run_may_be_left_out(poses, run_yaml, launch):
    done = launch(0, run_yaml(poses))
    assert done.returncode == 0, done.stdout


def test_plan_tells_inputs_shards_cost_and_the_srun_line(poses, run_yaml, launch):
    done = launch(0, "plan", run_yaml(poses, cores=4))
    assert done.returncode == 0, done.stdout
    for words in (
        "6 files",
        "shards   1 of 6 files",
        "s a model on one core",
        "MB a rank",
        "srun --mpi=pmix --ntasks=4",
    ):
        assert words in done.stdout
