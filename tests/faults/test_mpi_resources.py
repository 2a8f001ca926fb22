"""What MPI needs of a node is missing, on all ranks or on one: the run ends soon, with a line that says what to set."""

import re
import subprocess

import pytest
from launching import write_run_yaml

from .victims import LONG, Victim, check_what_is_there

ONE_POSE = {"glob": '"pose_0001.pdb"'}
FULL = "mount -t tmpfs -o size=64k,nr_inodes=1 tmpfs"
SMALL = "mount -t tmpfs -o size=64k tmpfs"
READ_ONLY = "mount -t tmpfs -o ro tmpfs"
#: The folders that `Victim` sets would take the place of /dev/shm: here MPI uses what it finds.
OWN_FOLDERS = {
    "OMPI_MCA_btl_vader_backing_directory": "/dev/shm",
    "OMPI_MCA_osc_sm_backing_directory": "/dev/shm",
}
#: What each of Open MPI's libraries for files would stumble over.
NAMES = {"romio321": "a:b, 100% of it", "ompio": "/".join(10 * ["long" * 40])}


@pytest.fixture(scope="module", autouse=True)
def own_mounts():
    """Skips where a process may not have mounts of its own."""
    made = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], capture_output=True)
    if made.returncode:
        pytest.skip(f"no mounts can be made here: {made.stderr.decode().strip()}")


def start(path, **options) -> Victim:
    return Victim(2, "run", path, **{**OWN_FOLDERS, **options})


def last_line(run: Victim) -> str:
    """The last line of ours: the launcher adds a page."""
    return [line for line in run.output.splitlines() if line.startswith("stagea_mpi: ")][-1]


def ended_with(run: Victim, code: int) -> str:
    assert run.wait() == code, run.output
    assert "Traceback" not in run.output
    # A rank that the launcher has not ended in time says the same of itself.
    said = [line for line in run.output.splitlines() if "stagea_mpi: " in line]
    assert len({re.sub(r"rank \d+", "rank", line) for line in said}) == 1, run.output
    return last_line(run)


@pytest.mark.parametrize(
    ("mount", "found", "setting"),
    [
        (FULL, "cannot be written: No space left on device", "OMPI_MCA_btl_vader_backing_directory=FOLDER"),
        (SMALL, "has 0.06 MiB free, 8.20 MiB are needed", "OMPI_MCA_osc_sm_backing_directory=FOLDER"),
        (READ_ONLY, "cannot be written: Read-only file system", "OMPI_MCA_io=romio321"),
    ],
    ids=["full", "small", "read-only"],
)
@pytest.mark.parametrize("rank", ["on all ranks", "on one rank"])
def test_shared_memory_that_cannot_be_used_ends_the_run_before_mpi_starts(rank, mount, found, setting, poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **ONE_POSE)
    where = {"on all ranks": "mounts", "on one rank": "second_mounts"}[rank]
    line = ended_with(start(path, **{where: f"{mount} /dev/shm"}), 1)
    assert f"/dev/shm {found}" in line
    assert setting in line
    assert re.search(f"rank {'[01]' if rank == 'on all ranks' else '1'} on ", line)


def test_shared_memory_that_ranks_of_a_node_do_not_share_is_told(poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **ONE_POSE)
    line = ended_with(start(path, second_mounts="mount -t tmpfs -o size=64m tmpfs /dev/shm"), 1)
    assert "/dev/shm of rank 1 on " in line
    assert "is not that of the other ranks" in line


def test_a_session_folder_without_room_is_told(poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **ONE_POSE)
    folder = tmp_path / "session"
    folder.mkdir()
    run = start(path, mounts=f"{SMALL} {folder}", TMPDIR=str(folder), OMPI_MCA_orte_tmpdir_base=str(folder))
    line = ended_with(run, 1)
    assert f"{folder}/" in line
    assert "5.00 MiB are needed" in line
    assert "set TMPDIR=FOLDER" in line


@pytest.mark.parametrize("mount", [FULL, READ_ONLY] if LONG else [FULL])
def test_a_file_that_mpi_cannot_open_is_named_with_what_lacks(mount, poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **ONE_POSE)
    run = start(path, mounts=f"{mount} /dev/shm", STAGEA_START_CHECKS="0")
    assert run.wait() == 1, run.output
    assert "Traceback" not in run.output
    assert "packed.h5" in last_line(run)
    assert "/dev/shm cannot be written: " in last_line(run)
    assert "OMPI_MCA_io=romio321" in last_line(run)


@pytest.mark.parametrize("mount", [FULL, READ_ONLY] if LONG else [FULL])
def test_with_the_settings_of_the_message_the_run_does_without_shared_memory(mount, poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **ONE_POSE)
    instead = tmp_path / "shared"
    instead.mkdir()
    names = ("btl_vader", "osc_sm", "osc_rdma")
    settings = {f"OMPI_MCA_{name}_backing_directory": str(instead) for name in names} | {"OMPI_MCA_io": "romio321"}
    run = start(path, mounts=f"{mount} /dev/shm", **settings)
    assert run.wait() == 0, run.output
    assert check_what_is_there(path.with_suffix("")) == 0


def test_a_run_folder_that_one_rank_does_not_see_is_told(poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **ONE_POSE)
    path.with_suffix("").mkdir()
    run = start(path, second_mounts=f"mount -t tmpfs tmpfs {path.with_suffix('')}")
    assert run.wait() == 2, run.output
    assert "rank 1 on " in last_line(run)
    assert "does not see there what rank 0 has written" in last_line(run)


def test_a_run_folder_that_one_rank_may_not_write_is_told(poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **ONE_POSE)
    root = path.with_suffix("")
    root.mkdir()
    run = start(path, second_mounts=f"mount --bind {root} {root} && mount -o remount,ro,bind {root}")
    assert run.wait() == 2, run.output
    assert "rank 1 on " in last_line(run)
    assert "may not write there" in last_line(run)


@pytest.mark.parametrize(
    ("io", "name"), [(io, name) for io in NAMES for name in NAMES.values()] if LONG else NAMES.items()
)
def test_a_run_folder_of_any_name_is_written(io, name, poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **ONE_POSE)
    root = tmp_path / name / "run"
    path.write_text(path.read_text().replace(f"run_root: {tmp_path}/run", f'run_root: "{root}"'))
    run = start(path, OMPI_MCA_io=io)
    assert run.wait() == 0, run.output
    assert check_what_is_there(root) == 0


HELD = ("starting MPI", "making the counter of models", "opening ")


@pytest.mark.parametrize("what", HELD)
def test_a_rank_that_never_comes_ends_the_others_after_a_limit(what, poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **ONE_POSE)
    run = start(path, module="tests.launched.absent_rank", STAGEA_ABSENT=what)
    assert run.wait() == 1, run.output
    assert "Traceback" not in run.output
    assert last_line(run).startswith(f"stagea_mpi: error: {what}")
    assert "has not ended within 5 s (STAGEA_START_LIMIT_S)" in last_line(run)


def test_a_file_that_one_rank_cannot_open_ends_all(poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses, **ONE_POSE)
    run = start(path, module="tests.launched.absent_rank", STAGEA_ABSENT="fails")
    assert run.wait() == 1, run.output
    assert "Traceback" not in run.output
    assert "rank 1: error: " in last_line(run)
    assert "MPI cannot open it (made for the test)" in last_line(run)
