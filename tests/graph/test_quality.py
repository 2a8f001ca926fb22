import numpy as np
import pytest
from made import changed, checked, fv_lines, graph_of, moved, write
from shipped import FAB_CHAINS, NANOBODY_CHAINS, fab, nanobody

from stagea_mpi.antibody.complexes import merge_chains
from stagea_mpi.graph.quality import VDW_BOUNDS, assess, heavy_light_contacts, vdw_outside
from stagea_mpi.inputs import list_models, read_model


def _contacts_as_deeprank_ab_counts_them(lines, heavy, light):
    """`ca_coords` and `flag_low_contacts` of DeepRank-Ab 1.0.2, on the lines of the input."""

    def first(chain, last):
        found = [line for line in lines if line[21] == chain and line[12:16].strip() == "CA"][: last + 1]
        return np.array([[float(line[k : k + 8]) for k in (30, 38, 46)] for line in found])

    distance = np.linalg.norm(first(heavy, 125)[:, None] - first(light, 115)[None], axis=-1)
    return int((distance < 8.0).sum())


def _complex_of(path):
    return merge_chains(read_model(list_models(path).models[0]), FAB_CHAINS, path)


@pytest.mark.parametrize("gap", [0.0, 2.0, 4.0, 30.0])
def test_contacts_of_heavy_and_light_are_those_that_deeprank_ab_counts(gap, tmp_path):
    lines = [moved(line, (gap, 0, 0)) if line[21] == "L" else line for line in fv_lines()]
    path = write(tmp_path / "x.pdb", lines)
    expected = _contacts_as_deeprank_ab_counts_them(lines, "H", "L")
    complex_ = _complex_of(path)
    assert heavy_light_contacts(complex_, checked(complex_)) == expected
    quality = assess(complex_, graph_of(path), checked(complex_))
    assert quality.low_heavy_light == (expected < 15)


def test_contacts_of_heavy_and_light_do_not_depend_on_what_stands_before_their_domains(tmp_path):
    """Two hundred residues in front of the heavy domain, far from all others."""
    model = [line for line in fv_lines() if line[21] == "A"]
    front = [changed(moved(line, (300, 0, 0)), 21, f"H{int(line[22:26]) + 1000:4d}") for line in model]
    fused = [changed(line, 22, f"{int(line[22:26]) + 3000:4d}") if line[21] == "H" else line for line in fv_lines()]
    complexes = [
        merge_chains(read_model(list_models(path).models[0]), FAB_CHAINS, path)
        for path in (write(tmp_path / "p.pdb", fv_lines()), write(tmp_path / "f.pdb", [*front, *fused]))
    ]
    plain, other = (heavy_light_contacts(complex_, checked(complex_)) for complex_ in complexes)
    assert other == plain > 15


def test_without_a_light_chain_there_is_no_flag():
    quality = assess(nanobody().complex_, nanobody().graph, nanobody().checked)
    assert (quality.heavy_light_contacts, quality.low_heavy_light) == (-1, False)
    assert NANOBODY_CHAINS.light is None


def test_a_good_model_has_no_flag():
    quality = assess(fab().complex_, fab().graph, fab().checked)
    assert not quality.low_heavy_light
    assert not quality.vdw_clash
    assert 0 < quality.vdw_outside < 0.05


def test_the_share_of_edges_outside_the_bounds_is_counted():
    low, high = VDW_BOUNDS
    assert vdw_outside(np.array([low - 0.01, low + 0.01, 0, high - 0.01, high + 0.01], dtype=np.float32)) == 0.4


def test_an_antigen_pushed_into_the_antibody_is_flagged(tmp_path):
    antigen = np.mean([[float(x[k : k + 8]) for k in (30, 38, 46)] for x in fv_lines() if x[21] == "A"], axis=0)
    antibody = np.mean([[float(x[k : k + 8]) for k in (30, 38, 46)] for x in fv_lines() if x[21] != "A"], axis=0)
    shift = tuple(4.0 * (antibody - antigen) / np.linalg.norm(antibody - antigen))
    lines = [moved(line, shift) if line[21] == "A" else line for line in fv_lines()]
    path = write(tmp_path / "x.pdb", lines)
    complex_ = _complex_of(path)
    assert assess(complex_, graph_of(path), checked(complex_)).vdw_clash


def test_atoms_that_gave_way_to_another_location_are_counted_in_the_chosen_chains(tmp_path):
    lines = list(fv_lines())
    other = [changed(moved(line, (0.3, 0.3, 0.3)), 16, "B") for line in lines if line[21] == "A"][:7]
    elsewhere = [changed(line, 21, "Z") for line in lines[:40]]
    path = write(tmp_path / "x.pdb", [*lines, *other, *elsewhere, *(changed(line, 16, "B") for line in elsewhere)])
    complex_ = _complex_of(path)
    assert assess(complex_, graph_of(path), checked(complex_)).dropped_locations == 7
    assert assess(fab().complex_, fab().graph, fab().checked).dropped_locations == 0
