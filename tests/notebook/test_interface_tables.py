"""Interface residues and residue pairs of a run, beside the input files and beside its graphs."""

from collections import defaultdict

import gemmi
import numpy as np
import pytest
from made_run import B_FACTORS, CHAIN_NAMES, ODD, write_run

from stagea_mpi.graph.features import NODE_FEATURES, table_columns
from stagea_mpi.notebook.explore import Run
from stagea_mpi.notebook.interface_tables import CONTACT_COLUMNS, RESIDUE_COLUMNS


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Run(write_run(tmp_path_factory.mktemp("made") / "run"))


def test_pairs_are_those_of_the_input_file_with_heavy_atoms_within_5_angstroms(two_rank_run):
    contacts = Run(two_rank_run).contacts()
    for name in contacts["model"].unique():
        model = gemmi.read_structure(str(two_rank_run.parent / "input" / f"{name}.pdb"))[0]
        atoms = [
            (chain.name, str(residue.seqid), residue.name, atom.pos.tolist())
            for chain in model for residue in chain for atom in residue
            if not atom.is_hydrogen() and atom.name != "OXT"
        ]  # fmt: skip
        antibody = [atom for atom in atoms if atom[0] in "HL"]
        antigen = [atom for atom in atoms if atom[0] == "A"]
        places = [np.array([atom[3] for atom in side]) for side in (antibody, antigen)]
        distance = np.linalg.norm(places[0][:, None] - places[1][None], axis=2)
        expected = defaultdict(list)
        for a, b in np.argwhere(distance <= 5.0):
            expected[antibody[a][:3] + antigen[b][:3]].append(distance[a, b])
        rows = contacts[contacts["model"] == name]
        sides = [f"{side}_{what}" for side in ("antibody", "antigen") for what in ("chain", "number", "residue")]
        found = dict(zip(rows[sides].itertuples(index=False, name=None), rows.itertuples(), strict=True))
        assert set(found) == set(expected)
        for pair, row in found.items():
            assert row.n_contacts == len(expected[pair])
            assert row.distance == pytest.approx(min(expected[pair]), abs=1e-5)


def by_hand(graph):
    """Residues and pairs of a graph from its arrays, one contact after the other."""
    of_residue = defaultdict(lambda: {"contacts": 0, "partners": set(), "sums": np.zeros(3)})
    of_pair = defaultdict(lambda: {"contacts": 0, "distance": [], "sums": np.zeros(3)})
    for k, ends in enumerate(graph.interface.nodes.tolist()):
        a, b = ((int(graph.chain[node]), int(graph.residue_number[node])) for node in ends)
        sums = [getattr(graph.interface, name)[k] for name in ("voro_area", "elec", "vdw")]
        for own, other in ((a, b), (b, a)):
            of_residue[own]["contacts"] += 1
            of_residue[own]["partners"].add(other)
            of_residue[own]["sums"] += sums
        of_pair[a, b]["contacts"] += 1
        of_pair[a, b]["distance"].append(graph.interface.dist[k])
        of_pair[a, b]["sums"] += sums
    return of_residue, of_pair


def test_numbers_of_residues_and_pairs_are_those_of_each_graph(run):
    residues, contacts = run.residues(), run.contacts()
    assert tuple(contacts.columns) == CONTACT_COLUMNS
    assert tuple(residues.columns) == (*RESIDUE_COLUMNS, "b_factor")
    for name, graph in run.items():
        of_residue, of_pair = by_hand(graph)
        rows = residues[residues["model"] == name]
        assert len(rows) == len(of_residue)
        for row, (residue, own) in zip(rows.itertuples(), sorted(of_residue.items()), strict=True):
            assert row.side == ("antibody", "antigen")[residue[0]]
            assert (row.n_contacts, row.n_partners) == (own["contacts"], len(own["partners"]))
            assert (row.contact_area, row.elec, row.vdw) == pytest.approx(own["sums"], rel=1e-4, abs=1e-4)
            node = np.flatnonzero((graph.chain == residue[0]) & (graph.residue_number == residue[1]))[0]
            texts = graph.nodes().iloc[node]
            assert (row.number, row.imgt, row.residue, row.region, row.bsa) == tuple(
                texts[["number", "imgt", "residue", "region", "bsa"]]
            )
        rows = contacts[contacts["model"] == name]
        assert len(rows) == len(of_pair)
        for row, (_, own) in zip(rows.itertuples(), sorted(of_pair.items()), strict=True):
            assert row.n_contacts == own["contacts"]
            assert row.distance == min(own["distance"])
            assert (row.contact_area, row.elec, row.vdw) == pytest.approx(own["sums"], rel=1e-4, abs=1e-4)


def test_areas_and_energies_add_up_to_those_of_the_models(run):
    models = run.models
    once, twice = run.contacts().groupby("model"), run.residues().groupby("model")
    for name in ("contact_area", "elec", "vdw"):
        expected = models[name][models["status"] == "ok"].sort_index()
        assert once[name].sum().to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-4)
        assert twice[name].sum().to_numpy() == pytest.approx(2 * expected.to_numpy(), rel=1e-4)
    assert once["n_contacts"].sum().tolist() == models["n_edges"][models["status"] == "ok"].sort_index().tolist()


def test_chains_have_their_names_whatever_is_in_these(run):
    residues = run.residues()
    assert run.models.loc[ODD, "input_chains"] == "a\\,b,\\\\,Ω,A,x"
    odd = residues[residues["model"] == ODD]
    assert set(odd["chain"]) == set(CHAIN_NAMES) - {"A", "x"}
    assert set(odd.loc[odd["side"] == "antibody", "chain"]) == {"a,b"}
    assert set(residues.loc[residues["model"] != ODD, "chain"]) == {"H", "L", "A"}


def test_imgt_numbers_with_letters_stand_in_both_tables(run):
    assert {"111B", "112D"} <= set(run.residues()["imgt"])
    assert {"111B", "112D"} <= set(run.contacts()["antibody_imgt"])
    residues = run.residues()
    assert set(residues.loc[residues["side"] == "antigen", "imgt"]) == {""}
    assert not (residues.loc[residues["side"] == "antibody", "imgt"] == "").any()


def test_b_factors_are_means_where_they_were_kept(run):
    residues = run.residues()
    kept = residues[residues["model"] == B_FACTORS]
    assert residues.loc[residues["model"] != B_FACTORS, "b_factor"].isna().all()
    graph = run[B_FACTORS]
    place = list(zip(graph.chain.tolist(), graph.residue_number.tolist(), strict=True))
    expected = [
        np.mean([b for b, at in zip(graph.b_factor.tolist(), place, strict=True) if at == residue])
        for residue in sorted(set(place))
    ]
    assert kept["b_factor"].tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("chunks", [1, 2, 100])
def test_chunks_are_the_tables_in_parts(run, chunks):
    for whole, parts in (
        (
            run.residues().drop(columns="b_factor"),
            [part.reindex(columns=RESIDUE_COLUMNS) for part in run.residues(chunks)],
        ),
        (run.contacts(), list(run.contacts(chunks))),
    ):
        assert all(part["model"].nunique() <= chunks for part in parts)
        rows = [row for part in parts for row in part.itertuples(index=False, name=None)]
        assert rows == list(whole.itertuples(index=False, name=None))


def test_a_shard_without_any_graph_has_no_rows(tmp_path):
    failed = Run(write_run(tmp_path / "run", shards=("failed",)))
    for table in (failed.nodes(), failed.edges(), failed.residues(), failed.contacts()):
        assert len(table) == 0
    assert failed.models["status"].tolist() == ["no_interface", "unreadable"]


def test_names_of_chains_that_are_not_known_are_empty(tmp_path):
    unknown = Run(write_run(tmp_path / "run", shards=("unknown",)))
    assert set(unknown.residues()["chain"]) == {""}
    assert set(unknown.contacts()["antigen_chain"]) == {""}


def test_a_features_texts_are_those_of_its_numbers(run):
    """One row at a time gives what all give together."""
    graph = next(iter(run.values()))
    values = {f.name: getattr(graph, f.name) for f in NODE_FEATURES if f.headings}
    together = table_columns(NODE_FEATURES, values)["imgt"].tolist()
    alone = [table_columns(NODE_FEATURES, {n: v[k : k + 1] for n, v in values.items()})["imgt"][0] for k in range(9)]
    assert together[:9] == alone
