"""What one model may take: time, memory and the process that computes it. The others are not to notice."""

import shutil
from pathlib import Path

import pytest
from launching import write_run_yaml

from tests.launched.broken_worker import TAG

from .victims import LONG, Victim, check_what_is_there

#: What is done to one model, the reason it fails for, and words of the message.
FAULTS = {
    "a native call that does not return": ("timeout", "did not return within model_timeout_s = 2 s"),
    "a library that crashes": ("crashed", "was ended by SIGSEGV"),
    "out of memory": ("crashed", "was ended by SIGKILL"),
}
CASES = [(fault, place) for fault in FAULTS for place in ("", ", in the listing")]
#: Each fault, and each place.
SHORT = [CASES[0], CASES[1], CASES[3], CASES[4]]
#: Where numbering has a limit of its own.
NUMBERING = {
    "a native call that does not return": ("timeout", "numbering by ANARCI: it took longer than 125 s"),
    "a library that crashes": ("crashed", "numbering by ANARCI: the process that computed it was ended by SIGSEGV"),
}


def failures(path) -> list[list[str]]:
    table = path.with_suffix("") / "shards/shard_000000/failures.tsv"
    return [line.split("\t") for line in table.read_text().splitlines()[1:]]


@pytest.mark.parametrize("ranks", [0, 2] if LONG else [2])
@pytest.mark.parametrize(("fault", "place"), CASES if LONG else SHORT)
def test_what_python_cannot_stop_ends_as_a_failed_model_and_the_rank_goes_on(ranks, place, fault, poses, tmp_path):
    reason, words = FAULTS[fault]
    path = write_run_yaml(tmp_path / "run.yaml", poses, max_failed_fraction=0.5)
    run = Victim(ranks, fault + place, "run", path, module="tests.launched.broken_rank")
    assert run.wait() == 0, run.output
    assert "5 of 6 models are in" in run.output
    ((model, _, stage, code, message),) = failures(path)
    assert (model, stage, code) == ("pose_0002", "read" if place else "graph", reason)
    assert words in message
    assert check_what_is_there(path.with_suffix("")) == 0


@pytest.mark.parametrize("fault", NUMBERING)
def test_a_sequence_that_cannot_be_numbered_costs_its_models_alone(fault, poses, tmp_path):
    reason, words = NUMBERING[fault]
    shutil.copytree(poses, tmp_path / "tagged")
    add_tag(tmp_path / "tagged/pose_0002.pdb")
    path = write_run_yaml(tmp_path / "run.yaml", tmp_path / "tagged", max_failed_fraction=0.5)
    run = Victim(2, f"{fault}, in the numbering", "run", path, module="tests.launched.broken_rank")
    assert run.wait() == 0, run.output
    assert "5 of 6 models are in" in run.output
    ((model, _, stage, code, message),) = failures(path)
    assert (model, stage, code, message) == ("pose_0002", "annotate", reason, words)
    assert check_what_is_there(path.with_suffix("")) == 0


def add_tag(pose: Path) -> None:
    """Residues behind the light chain's last one, far from all others."""
    lines = pose.read_text().splitlines(keepends=True)
    last = max(k for k, line in enumerate(lines) if line.startswith("ATOM") and line[21] == "L")
    lines[last + 1 : last + 1] = [
        f"ATOM  {90000 + k:5d}  CA  HIS L{900 + k:4d}    {500 + 4 * k:8.3f}{0:8.3f}{0:8.3f}  1.00  0.00           C\n"
        for k in range(len(TAG))
    ]
    pose.write_text("".join(lines))


def test_a_model_of_too_many_atoms_is_not_computed(poses, tmp_path):
    path = write_run_yaml(tmp_path / "run.yaml", poses, max_failed_fraction=1.0, model_max_atoms=100)
    run = Victim(0, "run", path)
    assert run.wait() == 0, run.output
    assert {(row[3], row[4].split(",")[1]) for row in failures(path)} == {
        ("too_large", " more than model_max_atoms = 100 allows")
    }
