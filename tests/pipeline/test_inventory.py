import gzip
from pathlib import Path

import pytest
from made import changed, entries_of, fv_lines, reasons_of, text_of, write
from shipped import FAB_CHAINS

from stagea_mpi.antibody.chain_rules import ChainRule
from stagea_mpi.errors import ADVICE, REASONS
from stagea_mpi.inputs import FileNames
from stagea_mpi.mpi.teams import SerialComm
from stagea_mpi.pipeline import inventory
from stagea_mpi.pipeline.inventory import list_shard

DOCS = Path(__file__).parents[2] / "docs"


def test_a_bad_file_costs_only_itself(tmp_path):
    good, empty = write(tmp_path / "good.pdb", fv_lines()), write(tmp_path / "empty.pdb", b"")
    files = [(path, FileNames.of_stem(Path(path).stem)) for path in (empty, good)]
    entries = list_shard(SerialComm(), files, FAB_CHAINS)
    assert [entry.failure.reason if entry.failure else "" for entry in entries] == ["no_models", ""]
    assert entries[1].n_atoms == len(fv_lines())


def test_a_bad_model_of_an_ensemble_costs_only_itself(tmp_path):
    bad = list(fv_lines())
    bad[7] = changed(bad[7], 30, "     NaN")
    bodies = [f"MODEL        {k}\n" + "\n".join(lines) + "\nENDMDL\n" for k, lines in enumerate((fv_lines(), bad), 1)]
    assert reasons_of(write(tmp_path / "e.pdb", "".join(bodies).encode())) == ["", "bad_coordinates"]


def test_the_second_model_of_a_name_is_refused_under_another_name(tmp_path):
    body = text_of(fv_lines())
    path = write(tmp_path / "d.qv", b"QV_TAG one\n" + body + b"QV_TAG one\n" + body + b"QV_TAG one#2\n" + body)
    entries = entries_of(path)
    assert [entry.ref.name for entry in entries] == ["one", "one#3", "one#2"]
    assert [entry.failure.reason if entry.failure else "" for entry in entries] == ["", "duplicate_name", ""]


def test_an_error_of_our_own_costs_one_model_and_is_told(tmp_path, monkeypatch):
    def broken(ref, text):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(inventory, "read_model", broken)
    (entry,) = entries_of(write(tmp_path / "x.pdb", fv_lines()))
    assert entry.failure.reason == "unexpected"
    assert "ZeroDivisionError: ours" in str(entry.failure)


def test_how_chains_were_chosen_is_noted(tmp_path):
    path = write(tmp_path / "x.pdb.gz", gzip.compress(text_of(fv_lines())))
    (stated,) = entries_of(path)
    (found,) = entries_of(path, ChainRule())
    assert (stated.chain_source, found.chain_source) == ("stated", "found")
    assert stated.chains == found.chains
    assert stated.sequences == found.sequences


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_documented_with_what_it_means_and_what_to_do(reason):
    text = " ".join((DOCS / "failures.md").read_text(encoding="utf-8").split())
    assert f"`{reason}`" in text
    assert REASONS[reason] in text
    assert ADVICE[reason] in text
