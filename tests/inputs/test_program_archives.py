"""Zip archives in which people keep the output of programs: beside what is unpacked, twice, damaged, in each other."""

import shutil
import zipfile
from pathlib import Path

import pytest
from made import write

from stagea_mpi.inputs import discover

#: What AlphaFold's server gives for a job, in its names; the content is none of a model's, which nobody reads here.
SERVER = {
    "fold_ab_model_0.cif": b"data_0\n" + b"#" * 90,
    "fold_ab_model_1.cif": b"data_1\n" + b"#" * 90,
    "fold_ab_summary_confidences_0.json": b"{}",
    "fold_ab_job_request.json": b"[]",
    "templates/fold_ab_template_hit_0_chains_a.cif": b"data_template\n",
}


def archive_at(path: Path, content: dict[str, bytes] = SERVER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return path


def found_in(root: Path, **options) -> list[str]:
    return sorted(Path(path).relative_to(root).as_posix() for path in discover(root, **options).paths)


@pytest.mark.parametrize("where", ["", "fold_ab"])
def test_an_archive_beside_what_was_unpacked_of_it_does_not_count(where, tmp_path):
    archive_at(tmp_path / "in" / "fold_ab.zip")
    for name, text in SERVER.items():
        write(tmp_path / "in" / where / name, text)
    models = sorted((Path(where) / f"fold_ab_model_{k}.cif").as_posix() for k in (0, 1))
    found = discover(tmp_path / "in")
    assert found_in(tmp_path / "in") == models
    assert found.left_out == {".cif": 1, ".zip": 1}
    assert found.archives == {}
    assert found_in(tmp_path / "in", patterns=["*.zip"]) == ["fold_ab.zip"]


@pytest.mark.parametrize("change", ["another model", "a model is missing"])
def test_an_archive_with_something_of_its_own_counts(change, tmp_path):
    archive_at(tmp_path / "in" / "fold_ab.zip")
    for name, text in SERVER.items():
        write(tmp_path / "in" / "fold_ab" / name, text)
    path = tmp_path / "in" / "fold_ab" / "fold_ab_model_1.cif"
    if change == "another model":  # of as many bytes
        path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    else:
        path.unlink()
    assert "fold_ab.zip" in found_in(tmp_path / "in")


def test_of_one_download_made_twice_the_first_counts_and_another_job_of_its_name_as_well(tmp_path):
    archive_at(tmp_path / "in" / "fold_ab.zip")
    shutil.copy(tmp_path / "in" / "fold_ab.zip", tmp_path / "in" / "fold_ab (1).zip")
    archive_at(tmp_path / "in" / "fold_ab (2).zip", SERVER | {"fold_ab_model_1.cif": b"data_other\n"})
    assert found_in(tmp_path / "in") == ["fold_ab (2).zip", "fold_ab.zip"]
    targets = discover(tmp_path / "in").archives
    assert targets == {str(tmp_path / "in" / f"{name}.zip"): {("ab", name)} for name in ("fold_ab", "fold_ab (2)")}


def test_archives_that_cannot_be_looked_into_are_warned_of(tmp_path, caplog):
    whole = archive_at(tmp_path / "in" / "fold_ab.zip").read_bytes()
    (tmp_path / "in" / "cut.zip").write_bytes(whole[: len(whole) // 2])
    archive_at(tmp_path / "in" / "downloads.zip", {"fold_ab.zip": whole})
    archive_at(tmp_path / "in" / "papers.zip", {"a.pdf": b""})
    assert found_in(tmp_path / "in") == ["fold_ab.zip"]
    assert [Path(record.getMessage().split(": ")[0]).name for record in caplog.records] == ["cut.zip", "downloads.zip"]
    assert "is damaged or cut short" in caplog.text
    assert "holds archives (fold_ab.zip), which are not looked into; unpack it" in caplog.text
    caplog.clear()
    found_in(tmp_path / "in", patterns=["*.zip"])  # then they are inputs, and fail as such
    assert caplog.text == ""


@pytest.mark.parametrize("damage", ["a name that is no UTF-8", "a version that there is not"])
def test_a_damaged_list_of_members_costs_the_archive_alone(damage, tmp_path, caplog):
    whole = archive_at(tmp_path / "in" / "fold_ab.zip").read_bytes()
    if damage.startswith("a name"):
        other = archive_at(tmp_path / "ä.zip", {"fold_ä_model_0.cif": b"data_x\n"}).read_bytes()
        other = other.replace("ä".encode(), b"\xc3\xff")
    else:  # what is needed to unpack it, in the list at the end: PK 1 2, made by, needed
        at = whole.index(b"PK\x01\x02")
        other = whole[: at + 6] + b"\xff" + whole[at + 7 :]
    (tmp_path / "in" / "other.zip").write_bytes(other)
    assert found_in(tmp_path / "in") == ["fold_ab.zip"]
    assert "other.zip: the zip archive is damaged or cut short" in caplog.text
