"""The image's recipes: Apptainer's has the steps of jobs/Containerfile, and these lead to an image that runs.

The steps are taken by `make image` alone: they need root, debootstrap and a network, and build h5py.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from holding import HANG_S
from launching import ROOT, launch_environment, mpiexec, published, write_run_yaml
from recipe import Stage, build, joined, steps

DEFINITION = ROOT / "jobs" / "stagea_mpi.def"


def stage_steps(word: str) -> list[list[str]]:
    """What an instruction is given in each stage of the Containerfile."""
    found: list[list[str]] = []
    for instruction, rest in steps():
        if instruction == "FROM":
            found.append([])
        elif instruction == word:
            found[-1].append(rest)
    return found


def section(stage: str, name: str) -> list[str]:
    """Lines of a section of one stage of the definition."""
    (lines,) = re.findall(rf"^%{name}\n((?: .*\n)*)", stage, re.MULTILINE)
    return [" ".join(line.split()) for line in lines.splitlines()]


def test_both_recipes_have_the_same_steps():
    text = joined(DEFINITION.read_text(encoding="utf-8"))
    built, final = text.split("Bootstrap: docker\n")[1:]
    for stage in (built, final):
        assert f"From: {next(rest for word, rest in steps() if word == 'FROM').split()[0]}\n" in stage
    (first, last), (copied, from_build) = stage_steps("RUN"), stage_steps("COPY")
    assert [line for line in section(built, "post") if line != "cd /source"] == first
    assert section(final, "post") == [
        step for step in last if not step.startswith("useradd ")
    ]  # the caller is the user
    files = [name for line in copied for name in line.split()[:-1]]
    assert [line.split()[0] for line in section(built, "files")] == files
    assert [f"--from=build {line}" for line in section(final, "files from build")] == from_build
    assert section(final, "environment") == [f"export {line}" for line in stage_steps("ENV")[1]]
    assert section(final, "runscript") == [f'exec {json.loads(stage_steps("ENTRYPOINT")[1][0])[0]} "$@"']


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Stage:
    if not os.environ.get("BUILD_IMAGE"):
        pytest.skip("takes minutes, root and a network: `make image`")
    folder = tmp_path_factory.mktemp("image")
    release = re.search(r"^FROM debian:(\w+)-slim", (ROOT / "jobs" / "Containerfile").read_text(), re.MULTILINE)[1]
    made = ["debootstrap", "--variant=minbase", release, str(folder / "base")]
    subprocess.run(made, check=True, timeout=HANG_S, stdout=subprocess.DEVNULL)
    return build(folder / "base", folder)


@pytest.fixture
def by_hand(poses, tmp_path, launch) -> Path:
    """A run of three poses in this environment, and its input."""
    (tmp_path / "poses").mkdir()
    for path in sorted(poses.iterdir())[:3]:
        shutil.copy(path, tmp_path / "poses")
    config = write_run_yaml(tmp_path / "run.yaml", tmp_path / "poses")
    assert launch(0, "run", config).returncode == 0
    assert "shard_000000/graphs.h5" in published(config)
    return config


def inside(image: Stage, by_hand: Path, name: str) -> tuple[Path, str]:
    """The same input and configuration in a folder of the user's home: where that is here, and in the image."""
    home, there = image.root / "home" / image.user, f"/home/{image.user}/{name}"
    shutil.copytree(by_hand.parent / "poses", home / name / "poses")
    (home / name / "run.yaml").write_text(by_hand.read_text().replace(str(by_hand.parent), there))
    subprocess.run(["chown", "-R", "--reference", home, home / name], check=True)
    return home / name / "run.yaml", f"{there}/run.yaml"


def test_doctor_finds_no_problem_and_there_is_no_compiler(image):
    assert image.user != "root"
    done = image.call([*image.entrypoint, "doctor", "--json"])
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert [check for check in checks.values() if check["state"] == "problem"] == []
    assert "MPI-enabled" in checks["h5py"]["found"]
    assert image.call(["sh", "-c", "command -v gcc cc mpicc pip"]).stdout == ""


def test_its_user_runs_it_on_two_ranks_with_the_same_graphs(image, by_hand):
    config, there = inside(image, by_hand, "own")
    done = image.call(["mpiexec", "-n", "2", "--oversubscribe", *image.entrypoint, "run", there])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "on 2 ranks" in done.stderr
    assert (config.parent / "run").stat().st_uid == config.stat().st_uid != 0
    assert published(config) == published(by_hand)


def test_the_launcher_of_the_host_starts_its_ranks_over_pmix(image, by_hand):
    config, there = inside(image, by_hand, "hosts")
    ranks = [
        *image.enter("root", also="tmp"),
        "env",
        f"PATH={image.environment['PATH']}",
        *image.entrypoint,
        "run",
        there,
    ]
    environment = launch_environment() | image.environment | {"PATH": os.environ["PATH"]}
    line = [mpiexec(), "-n", "2", "--oversubscribe", *ranks]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "on 2 ranks" in done.stderr
    assert published(config) == published(by_hand)
