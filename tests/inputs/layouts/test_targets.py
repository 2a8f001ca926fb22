"""Targets of one name in several folders."""

import pytest

from stagea_mpi.inputs.layouts import Place, shared_targets

from .finding import found_in
from .made_folders import alphafold3, alphafold_multimer, alphafold_server, boltz, chai1, colabfold

PROGRAMS = [alphafold3, alphafold_multimer, alphafold_server, boltz, chai1, colabfold]


def targets_of(places: list[Place]) -> set[str]:
    shared = shared_targets(places)
    return {place.target_by_folder if place.target in shared else place.target for place in places}


@pytest.mark.parametrize("make", PROGRAMS, ids=lambda make: make.__name__)
def test_jobs_of_one_name_in_folders_beside_each_other_are_targets_of_their_own(tmp_path, few, make):
    for folder in ("7abc", "7abd"):
        made = make(tmp_path / folder / "out", few)
    places = list(found_in(tmp_path).places.values())
    assert len(places) == 2 * len(made)
    own = targets_of(places)
    assert len(own) == 2
    assert all(target.startswith(folder) for target, folder in zip(sorted(own), ("7abc", "7abd"), strict=True))


@pytest.mark.parametrize("make", PROGRAMS, ids=lambda make: make.__name__)
def test_the_only_job_of_its_name_is_called_so(tmp_path, few, make):
    made = make(tmp_path / "7abc" / "out", few)
    assert targets_of(list(found_in(tmp_path).places.values())) == {made[0].target}


def test_samples_of_one_job_in_several_folders_are_one_target(tmp_path, few):
    alphafold3(tmp_path, few, "job", seeds=(1,))
    (tmp_path / "job").rename(tmp_path / "job_20260101_101500")
    alphafold3(tmp_path, few, "job", seeds=(2,))
    chai1(tmp_path, few, "chai", 1, n_trunks=3)
    assert targets_of(list(found_in(tmp_path).places.values())) == {"job", "chai"}
