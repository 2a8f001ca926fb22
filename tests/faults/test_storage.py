"""Disks that fill up, folders that cannot be written, inputs that vanish."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from holding import HANG_S
from launching import write_run_yaml

from .victims import LONG, SETTINGS, Victim, check_what_is_there, left_behind, published


@contextmanager
def small_disk(folder: Path, kilobytes: int):
    """A file system of its own; gives a function that changes its size."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], capture_output=True, timeout=HANG_S
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs may be mounted here: {mounted.stderr.decode().strip()}")
    try:
        remount = ["mount", "-o"]
        yield lambda options: subprocess.run([*remount, f"remount,{options}", folder], check=True, timeout=HANG_S)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=HANG_S)


@pytest.mark.parametrize(
    ("ranks", "module"),
    [(0, "broken_rank"), (2, "broken_rank"), (2, "serial_h5py")],
    ids=["alone", "together", "gathered on the first"],
)
@pytest.mark.parametrize("kilobytes", [40, 300, 500, 900, 1300] if LONG else [500])
def test_a_full_disk_is_told_and_with_more_room_a_rerun_finishes(
    ranks, module, kilobytes, poses, tmp_path, undisturbed
):
    with small_disk(tmp_path / "disk", kilobytes) as remount:
        path = write_run_yaml(tmp_path / "disk.yaml", poses, **SETTINGS)
        path.write_text(path.read_text().replace(f"{tmp_path}/disk", f"{tmp_path}/disk/run"))
        started = {"module": f"tests.launched.{module}"}
        full = Victim(ranks, "no fault", "run", path, **started)
        assert full.wait() == 1, full.output
        assert "No space left on device" in full.output or "are free on its file system" in full.output
        root = tmp_path / "disk/run"
        check_what_is_there(root)
        remount("size=20m")
        again = Victim(ranks, "no fault", "run", path, **started)
        assert again.wait() == 0, again.output
        assert published(root) == undisturbed
        assert check_what_is_there(root) == 0
        assert not left_behind(root)


def test_a_read_only_run_folder_is_told(poses, tmp_path):
    with small_disk(tmp_path / "disk", 1000) as remount:
        path = write_run_yaml(tmp_path / "disk.yaml", poses, **SETTINGS)
        path.write_text(path.read_text().replace(f"{tmp_path}/disk", f"{tmp_path}/disk/run"))
        remount("ro")
        refused = Victim(2, "run", path)
        assert refused.wait() == 2, refused.output
        assert "run_root: " in refused.output
        assert "Read-only file system" in refused.output


@pytest.mark.parametrize("fault", ["a file that vanishes", "a file that vanishes, in the listing"])
def test_a_file_that_vanishes_while_it_is_read_leaves_its_shard_to_be_done_when_it_is_back(
    fault, poses, tmp_path, undisturbed
):
    inputs = tmp_path / "poses"
    shutil.copytree(poses, inputs)
    path = write_run_yaml(tmp_path / "run.yaml", inputs, max_failed_fraction=0.5, **SETTINGS)
    run = Victim(0, fault, "run", path, module="tests.launched.broken_rank")
    assert run.wait() == 1, run.output
    assert "pose_0002.pdb: has vanished" in run.output
    assert check_what_is_there(path.with_suffix("")) == 75
    os.rename(tmp_path / "pose_0002.pdb", inputs / "pose_0002.pdb")
    again = Victim(2, "run", path)
    assert again.wait() == 0, again.output
    assert published(path.with_suffix("")) == undisturbed
