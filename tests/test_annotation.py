import numpy as np
import pytest
from shipped import fab

from stagea_mpi import annotation
from stagea_mpi.annotation import Domain, Numbering, domain_of, find_domains, number_sequences, regions
from stagea_mpi.errors import ModelError
from stagea_mpi.residues import CONST, REGIONS


@pytest.fixture(scope="module")
def heavy():
    return fab().complex_.heavy


@pytest.fixture(scope="module")
def light():
    return fab().complex_.light


def test_a_sequence_is_numbered_through_its_first_domain(heavy):
    (numbering,) = number_sequences([domain_of(heavy)])
    assert numbering.chain_type == "H"
    numbers = [position for position in numbering.positions if position]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 128


def test_a_letter_that_anarci_does_not_know_costs_only_itself(heavy, light):
    with_x = heavy[:50] + "X" + heavy[51:130]
    plain, spoiled, empty, other = number_sequences([heavy[:130], with_x, "XXX", light[:130]])
    assert spoiled.positions[50] == 0
    assert spoiled.positions[:50] == plain.positions[:50]
    assert empty == Numbering((0, 0, 0), None)
    assert other.chain_type == "K"


def test_a_sequence_that_anarci_fails_on_costs_only_itself(heavy, monkeypatch):
    run = annotation._run

    def failing(anarci, queries):
        if any(query == "GGG" for _, query in queries):
            raise ValueError("no")
        return run(anarci, queries)

    monkeypatch.setattr(annotation, "_run", failing)
    good, bad = number_sequences([heavy[:130], "GGG"])
    assert good.chain_type == "H"
    assert bad.problem == "ValueError: no"
    with pytest.raises(ModelError, match="no"):
        regions("GGG", "", "GGG", {"GGG": bad})


def test_batches_at_once_give_what_one_gives(heavy, light):
    sequences = [heavy[:130], light[:130], heavy[:100], "GGGG"]
    assert number_sequences(sequences, batches=3) == number_sequences(sequences)


def test_all_domains_of_a_chain_are_found_in_order(heavy, light):
    linker = "GGGGSGGGGSGGGGS"
    chain = light[:110] + linker + heavy[:115]
    (found,) = find_domains([chain])
    assert [domain.chain_type for domain in found] == ["K", "H"]
    assert found[1].start == pytest.approx(110 + len(linker), abs=2)
    assert find_domains(["X" * 5 + heavy[:115], "GGG", ""])[1:] == [(), ()]


def test_a_domain_is_placed_among_residues_without_a_letter(heavy):
    (plain,), (shifted,) = find_domains([heavy[:115], "XXXXX" + heavy[:115]])
    assert shifted == Domain(plain.chain_type, plain.start + 5, plain.stop + 5)


def test_regions_begin_where_the_chains_do():
    numberings = {"CDE": Numbering((26, 27, 28), "H"), "FGH": Numbering((104, 105, 106), "K")}
    merged = "AACDEBBFGH"
    region = regions("CDE", "FGH", merged, numberings, places=(2, 7))
    assert [REGIONS[code] for code in region[[3, 4, 8, 9]]] == ["H1", "H1", "L3", "L3"]
    assert np.flatnonzero(region != CONST).tolist() == [3, 4, 8, 9]
