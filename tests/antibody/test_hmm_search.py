"""ANARCI with the library gives what it gives with the program hmmscan."""

import gzip
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hmmscan_table import line_of, made_chains, plain_anarci
from pyhmmer import easel

from stagea_mpi.antibody import hmm_search
from stagea_mpi.antibody.hmm_search import ProfileDatabase, anarci_module
from stagea_mpi.errors import LaunchError

TABLE = Path(__file__).parents[1] / "data/hmmscan_numberings.tsv.gz"
#: Chains enough to have each kind of `made_chains` twice.
COUNT = 40


@pytest.fixture(scope="module")
def database():
    return ProfileDatabase(f"{anarci_module().HMM_path}/ALL.hmm")


def differing(lines) -> list[str]:
    module = anarci_module()
    return [line for line in lines if line_of(module, line.split("\t")[0]) != line]


def table() -> list[str]:
    return gzip.decompress(TABLE.read_bytes()).decode().splitlines()


def test_numberings_hits_and_alignments_are_the_programs():
    assert differing(table()[::24]) == []


@pytest.mark.slow
def test_numberings_hits_and_alignments_of_a_thousand_chains_are_the_programs():
    lines = table()
    assert len(lines) > 1000
    assert differing(lines) == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("hmmscan") is None, reason="hmmscan is not installed")
def test_numberings_of_chains_of_each_kind_are_those_of_the_program_that_is_installed():
    program = plain_anarci()
    assert differing(line_of(program, chain) for chain in made_chains(7, COUNT)) == []


@pytest.mark.parametrize("least_bits", [10.0, 80.0, 150.0])
def test_what_is_left_out_has_fewer_bits(database, least_bits):
    """Of all that HMMER finds without a bound, the part of so many bits is what is found with one."""
    for chain in made_chains(8, COUNT):
        everything = database.search(chain, -1e6)
        enough = [hit for hit in everything if hit.bitscore >= least_bits]
        assert [hit for hit in database.search(chain, least_bits) if hit.bitscore >= least_bits] == enough


def test_other_species_are_searched_where_the_stated_ones_have_nothing(database):
    for chain in made_chains(9, COUNT):
        everything = [hit for hit in database.search(chain, 80.0) if hit.bitscore >= 80.0]
        own = [hit for hit in everything if hit.hit_id.startswith(("pig", "cow"))]
        found = [hit for hit in database.search(chain, 80.0, ("pig", "cow")) if hit.bitscore >= 80.0]
        assert found == (own or everything)


def test_bits_of_a_biased_composition_are_those_of_the_filters_two_states(database):
    """By the recursion over residues, as HMMER's esl_hmm_Forward has it, in logarithms."""
    (block,) = database._split(())
    codes = np.random.default_rng(3).integers(0, 20, 173).astype(np.uint8)
    n, odds, biased = len(codes), np.log(block._odds), 128 / 8
    stays, begins = np.log(n / (n + 1)), np.log(1 / (n + 1))
    goes_on, ends = np.log(biased / (biased + 1)), np.log(1 / (biased + 1))
    plain, other = np.full(odds.shape[1], np.log(0.999)), np.log(0.001) + odds[codes[0]]
    for code in codes[1:]:
        plain, other = (
            np.logaddexp(plain + stays, other + ends),
            np.logaddexp(plain + begins, other + goes_on) + odds[code],
        )
    assert block._composition_bits(codes) == pytest.approx(np.logaddexp(plain, other) / np.log(2), abs=1e-9)


class Noted:
    """A pipeline that notes the P-value up to which domains are looked for, and finds none."""

    F3, reported = 1.0, ()

    def scan_seq(self, query, block):
        return self


def test_a_chain_whose_bias_leaves_the_range_of_numbers_is_searched_as_by_the_program(database):
    (block,), alphabet = database._split(()), easel.Alphabet.amino()
    most_biased = alphabet.symbols[block._odds[:20].max(axis=1).argmax()]
    (domain,) = made_chains(10, 1)
    limits = []
    for chain in (domain, most_biased * 4900):
        noted = Noted()
        block.scan(easel.TextSequence(sequence=chain).digitize(alphabet), 80.0, noted)
        limits.append(noted.F3)
    assert limits[0] < 1e-12
    assert limits[1] == 1e-5


def test_threads_search_at_once(database):
    chains = list(made_chains(11, 20))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda chain: database.search(chain, 80.0), chains * 3))
    assert found == [database.search(chain, 80.0) for chain in chains] * 3


def test_a_database_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path / "none.hmm", tmp_path / "empty.hmm"):
        with pytest.raises(LaunchError, match=rf"{path}: the profiles cannot be read .* install anarci anew"):
            ProfileDatabase(str(path))
        (tmp_path / "empty.hmm").touch()


def test_a_library_that_is_missing_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyhmmer.plan7", None)
    with pytest.raises(LaunchError, match=r"anarci or pyhmmer cannot be imported .*pyhmmer.plan7.* doctor"):
        hmm_search.anarci_module.__wrapped__()
