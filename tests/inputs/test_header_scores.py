from pathlib import Path

import pytest
from made import cif_of, fv_lines, text_of

from stagea_mpi.inputs.header_scores import header_scores

DATA = Path(__file__).parents[1] / "data"
ATOMS = ("\n".join(fv_lines()[:40]) + "\nTER\n").encode()
#: As Rosetta's PoseToStructFileRepConverter and its older PDB writer print them.
ROSETTA = b"""# All scores below are weighted scores, not raw scores.
#BEGIN_POSE_ENERGIES_TABLE relaxed_0001.pdb
label fa_atr fa_rep hbond_sr_bb total
weights 1 0.55 1 NA
pose -423.6 49.125 -1.5e1 -389.475
MET:NtermProteinFull_1 -1.2 0.1 0 -1.1
ASP_2 -3.4 0.2 0 -3.2
#END_POSE_ENERGIES_TABLE relaxed_0001.pdb
dG_separated -45.125
dSASA_int 1875.5
packstat nan
sc_value inf
fa_rep 7
interface_delta_X -45.125
sbuns5.0_heavy 2
resfile none
"""


def test_rosettas_table_gives_its_weighted_terms_and_the_lines_behind_it_their_names():
    assert header_scores(ATOMS + ROSETTA) == {
        "score_fa_atr": -423.6, "score_fa_rep": 49.125, "score_hbond_sr_bb": -15.0, "score_total_score": -389.475,
        "score_dG_separated": -45.125, "score_dSASA_int": 1875.5, "score_interface_delta_X": -45.125,
        "score_sbuns5_0_heavy": 2.0,
    }  # fmt: skip


def test_rosettas_lines_without_a_table_are_read_where_rosetta_has_written_the_model():
    lines = b"REMARK PDBinfo-LABEL:    1 DONE\n" + b" " * 48 + b"\nddg -34.139\nhas_sheet 0\nEND 1\n"
    assert header_scores(ATOMS + lines) == {"score_ddg": -34.139, "score_has_sheet": 0.0}
    assert header_scores(ATOMS + lines.partition(b"\n")[2]) == {}


def test_a_text_that_was_cut_short_gives_no_other_names():
    whole = ATOMS + ROSETTA
    expected = header_scores(whole)
    for stop in range(len(ATOMS), len(whole)):
        assert header_scores(whole[:stop]).keys() <= expected.keys(), whole[:stop][-20:]


def test_quivers_line_stands_before_the_atoms_and_has_a_tag():
    line = b"\nQV_SCORE m_0001 ddg=-99|charge=-4.6e1|cool=|deep=nan|far=inf|ddg=5\n"
    assert header_scores(line + ATOMS) == {"score_ddg": -99.0, "score_charge": -46.0}
    old = b"QV_SCORE interaction_pae: 19.38\nQV_SCORE pae: 10.64\n"
    assert header_scores(ATOMS + old) == {"score_interaction_pae": 19.38, "score_pae": 10.64}


def test_real_models_of_haddock3_and_of_rfantibody_tell_their_scores():
    found = header_scores((DATA / "haddock3_rigidbody_1.txt").read_bytes())
    said = {"haddock": -34.4796, "total": 197.278, "vdw": -29.5305, "elec": -1.00437, "air": 227.812, "desolv": 1.63624,
            "binding": -28.8987, "bsa": 785.911}  # fmt: skip
    none = dict.fromkeys("bonds angles improper dihe cdih coup rdcs vean dani xpcs rg sym".split(), 0.0)
    assert found == {f"score_{name}": value for name, value in (said | none).items()}
    found = header_scores((DATA / "rfantibody_rf2_best.txt").read_bytes())
    assert found == {"score_interaction_pae": 8.29, "score_pae": 5.09, "score_pred_lddt": 0.94}


def test_of_a_name_that_comes_twice_the_first_counts():
    assert header_scores(b"QV_SCORE t ddg=-1\n" + ATOMS + b"SCORE ddg: -2\nSCORE ddg: -3\n") == {"score_ddg": -1.0}
    assert header_scores(ATOMS + b"SCORE a.b: 1\r\nSCORE a-b: 2\r\n") == {"score_a_b": 1.0}


def test_haddock_2_names_its_energies_in_the_line_above_them():
    remarks = (
        b'REMARK FILENAME="complex_1.pdb0"\nREMARK initial structure: complex_1.pdb\n'
        b"REMARK total,bonds,angles,improper,dihe,vdw,elec,air,cdih,coup,sani,vean,dani\n"
        b"REMARK energies: -180.657, 0, 0, 0, 0, -12.7555, -195.928, 28.0267, 0, 0, 0, 0, 0\n"
        b"REMARK violations.: 2, 0, 0, 0, 0, 0, 0\nREMARK Desolvation energy: -1.18898\n"
        b"REMARK Binding energy: -150.853\nREMARK buried surface area: 1111.63\n"
    )
    named = dict(zip("total,bonds,angles,improper,dihe,vdw,elec,air,cdih,coup,sani,vean,dani".split(","),
                     (-180.657, 0, 0, 0, 0, -12.7555, -195.928, 28.0267, 0, 0, 0, 0, 0), strict=True))  # fmt: skip
    expected = named | {"desolv": -1.18898, "binding": -150.853, "bsa": 1111.63}
    assert header_scores(remarks + ATOMS) == {f"score_{name}": value for name, value in expected.items()}
    fewer = header_scores(remarks.replace(b"28.0267, ", b"") + ATOMS)
    assert fewer.keys() == {"score_desolv", "score_binding", "score_bsa"}  # which number is whose is not known


@pytest.mark.parametrize(
    "text",
    [
        b"",
        text_of(fv_lines()),
        b"REMARK   3   B VALUES. MEAN B VALUE : 31.2\nREMARK   3   FREE R VALUE : 0.21\n" + ATOMS,
        b"REMARK energy: -12.5\nREMARK score 5\nREMARK buried surface area: 12\n" + ATOMS,
        ATOMS + b"CONECT    1    2\nMASTER        0    0\nEND\nnote 7\n",
        ATOMS + b"SCORE: total_score 5\nSCORES 7\n",
        cif_of(fv_lines()) + b"_cell.length_a 7\nloop_\n_x.id\n_x.value\na 1.5\n",
        b"data_x\n_a.b 1\nSCORE x: 5\n" + cif_of(fv_lines())[7:],
        b"HETATM    1  O   HOH A   1       0.000   0.000   0.000  1.00  0.00\nddg 5\n",
    ],
)  # fmt: skip
def test_other_text_is_not_taken_for_scores(text):
    assert header_scores(text) == {}


def test_no_text_has_more_scores_than_a_program_writes():
    found = header_scores(ATOMS + b"".join(b"SCORE s%d: %d\n" % (k, k) for k in range(5000)))
    assert found == {f"score_s{k}": k for k in range(200)}
    assert list(header_scores(ATOMS + b"SCORE " + b"n" * 5000 + b": 1\n")) == ["score_" + "n" * 60]


def test_what_is_no_finite_number_is_left_out():
    line = b"QV_SCORE t a=1e999|b=-1e999|c=1_0|d=0x1F|e=1d5|f=--1|g=+.5E-2|h=5.|i=|j|=4\n"
    assert header_scores(line + ATOMS) == {"score_g": 0.005, "score_h": 5.0}
