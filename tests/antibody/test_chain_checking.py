"""Stated chains against what ANARCI finds in them: refused, or noted, and never passed over in silence."""

import csv
import gzip

import pytest
from made import changed, fv_lines, moved, refusal, write
from shipped import STRUCTURES

from stagea_mpi.antibody.chain_checking import check_chains, is_in_doubt
from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.antibody.numbering import Domain
from stagea_mpi.cli import main
from stagea_mpi.storage.packed_reader import PackedFile
from stagea_mpi.structure.residues import REGIONS

pytestmark = pytest.mark.slow

HEAVY, LIGHT = (Domain("H", 0, 110),), (Domain("K", 0, 107),)
RECEPTOR = (Domain("B", 0, 110),)
FAB, UNCHECKED = Chains("H", "L", ("A",)), Chains("H", "L", ("A",), check=False)


def checked(chains, heavy, light=None, antigen=()):
    return check_chains(chains, {"heavy": heavy, **({} if light is None else {"light": light})}, {"A": antigen})


def test_chains_that_are_what_they_are_said_to_be_have_no_note():
    found = checked(FAB, HEAVY, LIGHT)
    assert (found.heavy, found.light, found.notes) == (*HEAVY, *LIGHT, ())


@pytest.mark.parametrize(
    ("heavy", "light", "antigen", "reason", "words"),
    [
        (LIGHT, HEAVY, (), "wrong_chain_type", "chain H, stated as heavy, is a light chain (ANARCI: K)"),
        (HEAVY, HEAVY, (), "wrong_chain_type", "chain L, stated as light, is a heavy chain (ANARCI: H)"),
        ((), LIGHT, HEAVY, "antibody_in_antigen", "heavy chain H has no variable domain"),
        (HEAVY, (), LIGHT, "antibody_in_antigen", "antigen chain A has the variable domain of an antibody (K 1-107)"),
        ((), (), LIGHT, "antibody_in_antigen", "light chain L has no variable domain"),
        (RECEPTOR, RECEPTOR, HEAVY, "antibody_in_antigen", "heavy chain H is a T-cell receptor's (ANARCI: B)"),
    ],
)
def test_chains_of_which_no_graph_has_a_meaning_are_refused_unless_the_user_insists(
    heavy, light, antigen, reason, words
):
    failure = refusal(checked, FAB, heavy, light, antigen)
    assert failure.reason == reason
    assert words in str(failure)
    assert "chains.check: false" in str(failure)
    assert words in "; ".join(checked(UNCHECKED, heavy, light, antigen).notes)


@pytest.mark.parametrize(
    ("heavy", "light", "antigen", "words"),
    [
        ((), LIGHT, (), "heavy chain H has no variable domain, and so no CDR"),
        (HEAVY, (), (), "light chain L has no variable domain, and so no CDR"),
        ((), (), RECEPTOR, "light chain L has no variable domain, and so no CDR"),
        ((), LIGHT, LIGHT, "heavy chain H has no variable domain, and so no CDR"),
        (RECEPTOR, LIGHT, (), "heavy chain H is a T-cell receptor's (ANARCI: B)"),
        ((Domain("H", 0, 3, (103, 104, 105)),), LIGHT, (), "is numbered to IMGT 105 only"),
        ((*HEAVY, Domain("K", 120, 227)), LIGHT, (), "more variable domains, which get no CDR: K 121-227"),
    ],
)
def test_what_is_odd_but_may_be_meant_is_noted(heavy, light, antigen, words):
    assert words in "; ".join(checked(FAB, heavy, light, antigen).notes)


def test_of_several_domains_of_a_chain_that_of_its_role_is_labelled():
    both = (Domain("K", 0, 107), Domain("H", 120, 230))
    assert check_chains(Chains("S", None, ("A",)), {"heavy": both}, {}).heavy == both[1]


@pytest.mark.parametrize("antigen", [HEAVY, LIGHT, (*HEAVY, *LIGHT)])
def test_an_antibody_against_an_antibody_is_computed_and_noted(antigen):
    """The second may be the first one's light chain, stated as antigen."""
    assert not is_in_doubt({"heavy": HEAVY, "light": LIGHT})
    assert checked(FAB, HEAVY, LIGHT, antigen).notes == (
        f"antigen chain A has the variable domain of an antibody ({antigen[0]})",
    )


# Whole runs


def run(tmp_path, chains, capsys, name="run"):
    """Exit code, what was printed, and the rows of failures.tsv and of the manifest."""
    write(tmp_path / "in/fv.pdb", fv_lines())
    config = tmp_path / f"{name}.yaml"
    config.write_text(f"run_root: {tmp_path / name}\npdb_root: {tmp_path / 'in'}\nchains: {chains}\n")
    code = main(["run", str(config)])
    shard = tmp_path / name / "shards/shard_000000"
    with open(shard / "failures.tsv") as lines:
        failures = list(csv.DictReader(lines, delimiter="\t"))
    with gzip.open(shard / "manifest.tsv.gz", "rt") as lines:
        manifest = list(csv.DictReader(lines, delimiter="\t"))
    return code, capsys.readouterr().out, failures, manifest


@pytest.mark.parametrize(
    ("chains", "lacking", "misplaced"),
    [
        ('heavy: A, light: "-", antigen: [H, L]', "heavy chain A has no variable domain", "antigen chain H"),
        ("heavy: H, light: A, antigen: L", "light chain A has no variable domain", "antigen chain L"),
        ('heavy: A, light: "-"', "heavy chain A has no variable domain", "antigen chain H"),
    ],
)
def test_an_antigen_stated_as_the_antibody_is_refused_or_where_it_is_meant_so_told(
    chains, lacking, misplaced, tmp_path, capsys
):
    code, _, (failure,), _ = run(tmp_path, f"{{{chains}}}", capsys)
    assert (code, failure["reason"]) == (4, "antibody_in_antigen")
    assert lacking in failure["message"]
    assert misplaced in failure["message"]
    code, output, failures, (row, _) = run(tmp_path, f"{{{chains}, check: false}}", capsys, "insisting")
    assert (code, failures) == (0, [])
    assert f"warning: chains of 1 of 1 models look odd, the first of fv: {lacking}" in output
    assert lacking in row["chosen"]
    with PackedFile(tmp_path / "insisting/shards/shard_000000/packed.h5") as packed:
        types = [packed.column(f"model/{role}_type").tolist() for role in ("heavy", "light")]
    assert b"-" in sum(types, [])
    assert main(["plan", str(tmp_path / "insisting.yaml")]) == 0
    assert f"of the sampled models one looks odd: fv: {lacking}" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "insisting")]) == 0


def test_a_light_chain_stated_as_antigen_is_told(tmp_path, capsys):
    code, output, _, (row, _) = run(tmp_path, '{heavy: H, light: "-", antigen: [L, A]}', capsys)
    assert code == 0
    assert "antigen chain L has the variable domain of an antibody (K 1-110)" in output
    assert row["chosen"] == "stated; antigen chain L has the variable domain of an antibody (K 1-110)"


def test_usual_chains_are_not_warned_of_and_have_their_types_in_a_column(tmp_path, capsys):
    code, output, _, (row, _) = run(tmp_path, "{heavy: H, light: L, antigen: A}", capsys)
    assert (code, row["chosen"]) == (0, "stated")
    assert "warning" not in output
    with PackedFile(tmp_path / "run/shards/shard_000000/packed.h5") as packed:
        assert packed.column("model/heavy_type").tolist() == [b"H"]
        assert packed.column("model/light_type").tolist() == [b"K"]


@pytest.mark.parametrize("chains", ["{heavy: H, light: L, antigen: A}", "auto"])
def test_a_heavy_domain_behind_the_first_130_residues_of_its_chain_has_its_cdrs(chains, tmp_path):
    """A fusion partner of 200 residues, far from all others, stands in front of it; the interface's labels stay."""
    partner = [moved(line, (300, 0, 0)) for line in fv_lines() if line[21] == "A"]
    partner = [changed(line, 21, f"H{int(line[22:26]):4d}") for line in partner]
    heavy_behind = [changed(line, 22, f"{int(line[22:26]) + 1000:4d}") for line in fv_lines() if line[21] == "H"]
    others = [line for line in fv_lines() if line[21] != "H"]
    write(tmp_path / "in/fused.pdb", [*partner, *heavy_behind, *others])
    write(tmp_path / "in/plain.pdb", fv_lines())
    (tmp_path / "run.yaml").write_text(f"run_root: {tmp_path}/run\npdb_root: {tmp_path}/in\nchains: {chains}\n")
    assert main(["run", str(tmp_path / "run.yaml")]) == 0
    with PackedFile(tmp_path / "run/shards/shard_000000/packed.h5") as packed:
        fused, plain = (sorted(zip(g.position.tolist(), g.region, strict=True)) for _, _, g in packed.graphs())
    assert REGIONS.index("H3") in {region for _, region in plain}
    assert fused == plain


def test_structures_that_are_shipped_are_not_warned_of(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/7CFN.cif.gz").write_bytes((STRUCTURES / "7CFN.cif.gz").read_bytes())
    (tmp_path / "run.yaml").write_text(
        f"run_root: {tmp_path / 'run'}\npdb_root: {tmp_path / 'in'}\nstage_a: {{glob: '*.cif.gz'}}\n"
        "chains: {heavy: N, light: '-', antigen: [A, B, G, R]}\n"
    )
    assert main(["run", str(tmp_path / "run.yaml")]) == 0
    assert "warning" not in capsys.readouterr().out
