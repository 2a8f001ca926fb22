"""Confidences of made predictions, from their files on."""

import io
import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made import checked, read
from predicted import CASES, prediction

from stagea_mpi.antibody.chain_checking import antibody_regions
from stagea_mpi.antibody.complexes import merge_chains
from stagea_mpi.errors import ModelError
from stagea_mpi.graph.interface_graph import build_graph
from stagea_mpi.inputs.layouts.beside import FolderBeside
from stagea_mpi.inputs.layouts.layout import Pae, Scores
from stagea_mpi.inputs.layouts.pae import from_json, from_npz
from stagea_mpi.pipeline.confidences import COLUMNS, confidences_of
from stagea_mpi.structure.residues import REGIONS

AUTHORS = json.loads((Path(__file__).parents[1] / "data" / "ipsae.json").read_text())


class Read:
    """A made prediction, read from its files."""

    def __init__(self, case, folder):
        self.made = prediction(case)
        self.model, errors = self.made.files(folder)
        self.files = FolderBeside(str(folder))
        self.pae = from_json(self.files, errors, has_tokens=True)
        self.atoms = read(str(folder / self.model))
        self.complex_ = merge_chains(self.atoms, self.made.chains, case)
        self.region = antibody_regions(self.complex_, checked(self.complex_))
        try:
            self.graph = build_graph(self.complex_, self.region)
        except ModelError:
            self.graph = None

    def confidences(self, has_plddt=True, **scores):
        given = {"pae": self.pae, **scores}
        return confidences_of(
            Scores(**given), has_plddt, self.atoms, self.made.chains, self.complex_, self.graph, self.region
        )


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return {case: Read(case, tmp_path_factory.mktemp("predicted") / "m") for case in CASES}


@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_the_authors_script(case, cases):
    values, problems = cases[case].confidences()
    chains = cases[case].made.chains
    pairs = {"-".join(sorted(pair)) for pair in itertools.product((chains.heavy, chains.light), chains.antigen)}
    of_pairs = [max(column) for column in zip(*(AUTHORS[case][pair] for pair in pairs), strict=True)]
    assert not problems
    for name, expected, precision in zip(("ipsae", "pdockq2", "lis"), of_pairs, (6e-7, 6e-5, 6e-5), strict=True):
        assert values[name] == pytest.approx(expected, abs=precision), name


@pytest.mark.parametrize("case", ["fv", "scfv with two antigen chains"])
def test_means_are_those_over_all_contacts_of_the_files_atoms(case, cases):
    made, values = cases[case].made, cases[case].confidences()[0]
    side = np.array([atom.chain in made.chains.antigen for atom in made.atoms])
    xyz = np.array([atom.xyz for atom in made.atoms])
    ours, theirs = np.flatnonzero(~side), np.flatnonzero(side)
    near = np.argwhere(np.linalg.norm(xyz[ours, None] - xyz[None, theirs], axis=2) <= 5.0)
    residue = [(atom.chain, atom.number) for atom in made.atoms]
    token = {(atom.chain, atom.number): k for k, atom in enumerate(made.tokens)}
    pairs = {(residue[ours[i]], residue[theirs[j]]) for i, j in near}
    pae = [made.pae[token[one]][token[other]] for pair in pairs for one, other in (pair, pair[::-1])]
    assert values["interface_pae"] == pytest.approx(np.mean(pae), rel=1e-6)
    means = {
        each: np.mean([atom.plddt for atom, own in zip(made.atoms, residue, strict=True) if own == each])
        for each in {each for pair in pairs for each in pair}
    }
    assert values["interface_plddt"] == pytest.approx(np.mean(list(means.values())), rel=1e-6)


def test_plddt_of_h3_is_that_of_its_residues(cases):
    case = cases["scfv with two antigen chains"]
    numbers = np.flatnonzero(case.region == REGIONS.index("H3")) + 1  # chain S is the whole antibody
    assert len(numbers) > 5
    of_residues = [np.mean([a.plddt for a in case.made.atoms if (a.chain, a.number) == ("S", k)]) for k in numbers]
    assert case.confidences()[0]["h3_plddt"] == pytest.approx(np.mean(of_residues), rel=1e-6)


def test_errors_in_an_npz_archive_follow_the_files_order(cases, tmp_path):
    case = cases["modified"]
    file = io.BytesIO()
    np.savez_compressed(file, pae=np.array(case.made.pae, dtype=np.float32))
    (tmp_path / "pae.npz").write_bytes(file.getvalue())
    found, problems = case.confidences(pae=from_npz(FolderBeside(str(tmp_path)), "pae.npz"))
    assert not problems
    assert found == pytest.approx(case.confidences()[0], nan_ok=True)


def test_programs_own_scores_stay_and_what_is_not_known_is_nan(cases):
    values, problems = cases["fv"].confidences(
        has_plddt=False, pae=None, values={"ptm": 0.5, "score_x": 3.0}, problems=("x.json: is damaged",)
    )
    assert problems == ("x.json: is damaged",)
    assert list(values) == [*COLUMNS, "score_x"]
    assert (values["ptm"], values["score_x"]) == (0.5, 3.0)
    assert all(math.isnan(values[name]) for name in COLUMNS if name != "ptm")


def test_without_plddt_the_scores_that_need_none_stay(cases):
    values, _ = cases["fv"].confidences(has_plddt=False)
    assert values["ipsae"] == cases["fv"].confidences()[0]["ipsae"]
    assert all(math.isnan(values[name]) for name in ("pdockq2", "interface_plddt", "h3_plddt"))


def test_without_a_graph_the_scores_that_need_none_stay(cases):
    values, problems = cases["no contact"].confidences()
    assert not problems
    assert math.isnan(values["interface_pae"])
    assert math.isnan(values["interface_plddt"])
    assert not math.isnan(values["h3_plddt"])


@pytest.mark.parametrize(("b_factor", "says"), [
    (lambda b: np.full_like(b, 100.0), "B factors of all atoms are 100, so that they are no pLDDT"),
    (lambda b: b / 100, "B factors are 0.5"),
    (lambda b: np.where(b > 90, np.nan, b), "B factors are not all numbers"),
    (lambda b: b + 50, "to 148.66, expected pLDDT of 0 to 100"),
])  # fmt: skip
def test_b_factors_that_are_no_plddt_are_told(b_factor, says, cases):
    case = cases["fv"]
    other = replace(case.complex_, b_factor=b_factor(case.complex_.b_factor))
    values, problems = confidences_of(
        Scores(pae=case.pae), True, case.atoms, case.made.chains, other, case.graph, case.region
    )
    assert says in problems[0]
    assert all(math.isnan(values[name]) for name in ("pdockq2", "interface_plddt", "h3_plddt"))
    assert not math.isnan(values["ipsae"])


@pytest.mark.parametrize(("change", "says"), [
    (lambda pae: replace(pae, chain=None, n_tokens=300), "PAE is of 300 tokens, the model has 318"),
    (lambda pae: replace(pae, chain=np.where(pae.chain == b"S", b"X", pae.chain)),
     "PAE has tokens of 0 residues in chain S, the model 222 residues"),
    (lambda pae: replace(pae, number=np.where(pae.number == 7, 1000, pae.number)),
     "PAE has tokens of residues 1 to 1000 in chain S, the model's have other numbers"),
    (lambda pae: replace(pae, number=pae.number[:-9], chain=pae.chain[:-9]),
     "PAE has tokens of 213 residues in chain S, the model 222 residues"),
    (lambda pae: replace(pae, number=np.delete(pae.number, 144), chain=np.delete(pae.chain, 144)),
     "PAE has 5 tokens of residue 54 in chain S, the model 6 heavy atoms"),
])  # fmt: skip
def test_tokens_that_do_not_go_with_the_model_cost_its_scores_by_errors_and_are_told(change, says, cases):
    case = cases["modified"]
    values, problems = case.confidences(pae=change(case.pae), values={"ptm": 0.5})
    assert problems == (f"{case.pae.path}: {says}{problems[0].partition(says)[2]}",)
    assert case.pae.path.endswith(".json")
    assert all(math.isnan(values[name]) for name in ("ipsae", "lis", "pdockq2", "interface_pae"))
    assert values["ptm"] == 0.5
    assert not math.isnan(values["interface_plddt"])


def test_damaged_errors_cost_the_scores_and_are_told(cases):
    def spoiled(first, second):
        raise ModelError("unreadable", "x.json: row 3 has 2 numbers, expected 308", "read")

    case = cases["fv"]
    values, problems = case.confidences(pae=Pae(spoiled, case.pae.n_tokens, "x.json"))
    assert problems == ("x.json: row 3 has 2 numbers, expected 308",)
    assert math.isnan(values["ipsae"])


IPTM = np.array([[0.9, 0.1, 0.2], [0.3, 0.9, 0.4], [0.25, 0.5, 0.9]])


def test_iptm_is_that_of_the_best_pair_of_chains(cases):
    # The Fv's file has A, H, L; in the other order the antigen is the last.
    assert cases["fv"].confidences(pair_iptm=IPTM)[0]["score_chain_pair_iptm"] == 0.3
    found = cases["fv"].confidences(pair_iptm=IPTM, pair_chains=("L", "H", "A"))[0]
    assert found["score_chain_pair_iptm"] == 0.5


@pytest.mark.parametrize(("given", "says"), [
    ({"pair_iptm": IPTM[:2, :2]}, "ipTM is of 2 chains, the model has 3: A, H, L"),
    ({"pair_iptm": IPTM, "pair_chains": ("A", "B", "C")}, "ipTM is of the chains A, B, C, without H, L"),
])  # fmt: skip
def test_iptm_of_other_chains_is_told(given, says, cases):
    values, problems = cases["fv"].confidences(**given)
    assert problems == (says,)
    assert math.isnan(values["score_chain_pair_iptm"])
    assert not math.isnan(values["ipsae"])
