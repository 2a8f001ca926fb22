import io
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from holding import HANG_S
from shipped import fab

from stagea_mpi.antibody import numbering
from stagea_mpi.antibody.hmm_search import anarci_module
from stagea_mpi.antibody.numbering import CDR_POSITIONS, Domain, find_domains, regions
from stagea_mpi.errors import ModelError
from stagea_mpi.structure.residues import CONST, REGIONS

LINKER = "GGGGSGGGGSGGGGS"


@pytest.fixture(scope="module")
def heavy():
    return fab().complex_.heavy


@pytest.fixture(scope="module")
def light():
    return fab().complex_.light


def cdr(number: int, sequence: str, domain: Domain) -> str:
    """Residues of a CDR by their IMGT positions."""
    first, last = CDR_POSITIONS[number - 1]
    letters = zip(sequence[domain.start : domain.stop], domain.positions, strict=True)
    return "".join(letter for letter, position in letters if first <= position <= last)


def one_domain(sequence: str) -> Domain:
    ((domain,),) = find_domains([sequence])
    return domain


def test_a_sequence_is_numbered_through_its_domain(heavy):
    domain = one_domain(heavy)
    numbers = [position for position in domain.positions if position]
    assert (domain.chain_type, domain.start) == ("H", 0)
    assert numbers == sorted(numbers)
    assert numbers[-1] == 128


def test_a_domain_is_numbered_to_its_end_however_long_its_cdr3_is(heavy):
    plain = one_domain(heavy)
    own = cdr(3, heavy, plain)
    long = heavy.replace(own, own[:5] + "GYCSSTSCYTGGSYYDSSGYPQGSRW" + own[5:])
    domain = one_domain(long)
    assert domain.stop > 130
    assert cdr(3, long, domain) == own[:5] + "GYCSSTSCYTGGSYYDSSGYPQGSRW" + own[5:]
    assert [cdr(k, long, domain) for k in (1, 2)] == [cdr(k, heavy, plain) for k in (1, 2)]


@pytest.mark.parametrize("insert", ["DVVDFGRNWVYYDNWGSYWS", "NDFYWGRAPNSYNVAWSVTV"])
@pytest.mark.parametrize("behind", ["", "whole"])
def test_a_part_of_a_cdr3_is_not_taken_for_the_end_of_its_domain(insert, behind, heavy):
    """HMMER aligns what looks like a J region in the middle of the CDR3, and ends there."""
    chain, own = heavy if behind else heavy[:113], cdr(3, heavy, one_domain(heavy))
    long = chain.replace(own, own[:4] + insert + own[4:])
    assert cdr(3, long, one_domain(long)) == own[:4] + insert + own[4:]


@pytest.mark.parametrize("order", ["HL", "LH"])
def test_a_long_cdr3_is_numbered_in_a_chain_of_two_domains_too(order, heavy, light):
    own = cdr(3, heavy, one_domain(heavy))
    long = heavy[:111].replace(own, own[:5] + "GYCSSTSCYTGGSYYDSSGYPQGSRWDTYCSGGSC" + own[5:])
    chain = LINKER.join([long, light[:110]] if order == "HL" else [light[:110], long])
    (domains,) = find_domains([chain])
    by_type = {domain.chain_type: domain for domain in domains}
    assert set(by_type) == {"H", "K"}
    assert cdr(3, chain, by_type["H"]) == own[:5] + "GYCSSTSCYTGGSYYDSSGYPQGSRWDTYCSGGSC" + own[5:]
    assert cdr(3, chain, by_type["K"]) == cdr(3, light, one_domain(light))


@pytest.mark.parametrize("front", ["MKHLWFFLLLVAAPRWVLS", "GSHM" * 40, "A" * 5200])
def test_a_domain_is_numbered_wherever_it_lies(front, heavy):
    """Behind a signal peptide, a fusion partner, and farther from the start than ANARCI is given residues."""
    plain, shifted = one_domain(heavy), one_domain(front + heavy)
    assert shifted.stop == plain.stop + len(front)
    assert [cdr(k, front + heavy, shifted) for k in (1, 2, 3)] == [cdr(k, heavy, plain) for k in (1, 2, 3)]


@pytest.mark.parametrize("n_front", range(3400, 5200, 150))
def test_a_domain_at_the_border_of_two_windows_is_found_once_and_whole(n_front, heavy):
    chain, plain = "A" * n_front + heavy + "A" * 3000, one_domain(heavy)
    domain = one_domain(chain)
    assert domain.stop == n_front + plain.stop
    assert [cdr(k, chain, domain) for k in (1, 2, 3)] == [cdr(k, heavy, plain) for k in (1, 2, 3)]


def test_a_letter_that_anarci_does_not_know_costs_only_itself(heavy, light):
    with_x = heavy[:50] + "X" + heavy[51:130]
    (plain,), (spoiled,), empty, (other,) = find_domains([heavy[:130], with_x, "XXX", light[:130]])
    assert spoiled.positions[50] == 0
    assert spoiled.positions[:50] == plain.positions[:50]
    assert empty == ()
    assert other.chain_type == "K"


def test_a_sequence_that_anarci_fails_on_costs_only_itself(heavy, monkeypatch):
    run = numbering._find_batch

    def failing(sequences):
        if "GGG" in sequences:
            raise ValueError("no")
        return run(sequences)

    monkeypatch.setattr(numbering, "_find_batch", failing)
    good, bad = find_domains([heavy[:130], "GGG"])
    assert good[0].chain_type == "H"
    assert isinstance(bad, ModelError)
    assert (bad.reason, str(bad)) == ("numbering_failed", "ANARCI: ValueError: no")


def test_batches_at_once_give_what_one_gives(heavy, light):
    sequences = [heavy[:130], light[:130], heavy[:100], "GGGG"]
    assert find_domains(sequences, batches=3) == find_domains(sequences)


def test_all_domains_of_a_chain_are_found_in_order(heavy, light):
    chain = light[:110] + LINKER + heavy[:115]
    (found,) = find_domains([chain])
    assert [domain.chain_type for domain in found] == ["K", "H"]
    assert found[1].start == pytest.approx(110 + len(LINKER), abs=2)
    assert find_domains(["X" * 5 + heavy[:115], "GGG", ""])[1:] == [(), ()]


def test_a_domain_is_placed_among_residues_without_a_letter(heavy):
    (plain,), (shifted,) = find_domains([heavy[:115], "XXXXX" + heavy[:115]])
    assert shifted == plain.within(-5)


def test_regions_are_those_of_the_domains_wherever_these_lie():
    heavy = Domain("H", 2, 5, (26, 27, 28))
    light = Domain("K", 1, 4, (104, 105, 106))
    region = regions("AACDEBBFGH", [("H", "AACDEB", heavy, 0), ("L", "BFGH", light, 6)])
    assert [REGIONS[code] for code in region[[3, 4, 8, 9]]] == ["H1", "H1", "L3", "L3"]
    assert np.flatnonzero(region != CONST).tolist() == [3, 4, 8, 9]


def test_a_chain_without_a_domain_has_no_cdr():
    assert (regions("AAAA", [("H", "AA", None, 0), ("L", "AA", None, 2)]) == CONST).all()


def test_two_threads_number_at_once(heavy, light):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(find_domains, [[heavy, light], [light, heavy]]))
    assert found[0] == found[1][::-1]


def test_while_a_thread_numbers_others_may_print(heavy, monkeypatch):
    """Python's redirection of what is printed holds for all threads, and two that overlap leave it redirected."""
    begun, go_on, stdout = threading.Event(), threading.Event(), sys.stdout

    def held(sequences):
        begun.set()
        assert go_on.wait(HANG_S)
        return [() for _ in sequences]

    monkeypatch.setattr(numbering, "_find_batch", held)
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(find_domains, [heavy])
        assert begun.wait(HANG_S)
        is_left_alone = sys.stdout is stdout
        go_on.set()
    assert is_left_alone
    assert found.result() == [()]


def test_what_anarci_prints_for_a_terminal_is_dropped_and_its_files_are_written(capsys):
    module, file = anarci_module(), io.StringIO()
    module.print("said")
    module.print("said", file=sys.stderr)
    module.print("kept", file=file)
    assert capsys.readouterr() == ("", "")
    assert file.getvalue() == "kept\n"
