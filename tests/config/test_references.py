from pathlib import Path

import pytest

from stagea_mpi.antibody.chain_rules import ChainRule, ChainTable
from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.config.references import ReferenceTable, reference_of_options
from stagea_mpi.config.run_config import parse_config
from stagea_mpi.errors import ConfigError
from stagea_mpi.inputs import ModelRef
from stagea_mpi.inputs.layouts.layout import Place

MINIMAL = {"run_root": "out", "pdb_root": "in", "chains": {"heavy": "H", "light": "L", "antigen": "A"}}


def reference(value, environment=None) -> ReferenceTable:
    return parse_config({**MINIMAL, "reference": value}, "run.yaml", environment or {}).reference


def table(path: Path, *lines: str) -> ReferenceTable:
    path.write_text("".join(f"{line}\n" for line in lines))
    return reference({"table": str(path)})


def structure_of(references, name, target="", path="in/x.pdb"):
    found = references.for_model(ModelRef(path, name, place=Place(target=target)))
    return None if found is None else found.structure.name


def refusal(value) -> str:
    with pytest.raises(ConfigError) as refused:
        reference(value)
    return str(refused.value)


@pytest.mark.parametrize("nothing", [None, "", " "])
def test_without_one_nothing_is_compared_and_nothing_is_written_of_it(nothing):
    config = parse_config({**MINIMAL, "reference": nothing}, "run.yaml", {})
    assert config.reference is None
    assert "reference" not in config.as_dict()


def test_a_path_is_the_reference_of_all_models_and_its_chains_are_found():
    found = reference("$HERE/native.cif", {"HERE": "/data"})
    ((model, target, stated),) = found.rows
    assert (model, target, stated.structure, stated.chains) == ("*", "", Path("/data/native.cif"), ChainRule())
    assert structure_of(found, "any") == "native.cif"
    assert reference("native.pdb").rows[0][2].structure == Path("native.pdb").absolute()


def test_chains_of_a_reference_are_stated_as_those_of_models(tmp_path):
    (tmp_path / "chains.csv").write_text("model,heavy\n*,H\n")
    of = {"heavy": "N", "light": "-", "antigen": ["A", "B"]}
    assert reference({"structure": "n.pdb", "chains": of}).rows[0][2].chains == Chains("N", None, ("A", "B"))
    of = {"table": str(tmp_path / "chains.csv")}
    assert isinstance(reference({"structure": "n.pdb", "chains": of}).rows[0][2].chains, ChainTable)
    assert reference({"structure": "n.pdb", "model": 2}).rows[0][2].model == "2"


def test_a_table_names_models_or_targets_and_its_first_row_that_fits_counts(tmp_path):
    found = table(
        tmp_path / "references.csv",
        "model,target,structure,heavy,light,antigen",
        "odd_*,,natives/odd.pdb,H,-,A B",
        ",7abc,/elsewhere/7abc.cif,,,",
        ",7*,natives/other.pdb,,,",
        "late,,natives/late.pdb,,,",
    )
    assert structure_of(found, "odd_1", "7abc") == "odd.pdb"
    assert structure_of(found, "m", "7abc") == "7abc.cif"
    assert structure_of(found, "late", "7xyz") == "other.pdb"
    assert structure_of(found, "m", "6xyz", path="in/late.pdb") == "late.pdb"
    assert structure_of(found, "m", "6xyz") is None
    stated = [stated for _, _, stated in found.rows]
    assert stated[0].structure == tmp_path / "natives" / "odd.pdb"
    assert stated[1].structure == Path("/elsewhere/7abc.cif")
    assert stated[0].chains == Chains("H", None, ("A", "B"))
    assert stated[1].chains == ChainRule()


def test_one_structure_in_several_rows_is_one_reference(tmp_path):
    lines = ("model;structure;antigen", "a*;n.pdb;A", "b*;n.pdb;A", "c*;n.pdb;B")
    assert len(list(table(tmp_path / "references.csv", *lines).stated)) == 2


def test_as_it_is_written_it_reads_as_itself(tmp_path):
    (tmp_path / "a$b").mkdir()
    (tmp_path / "a$b" / "references.csv").write_text("target,structure\nx,n.pdb\n")
    tables = reference({"table": f"{tmp_path}/a\\$b/references.csv"})
    assert tables.rows[0][2].structure == tmp_path / "a$b" / "n.pdb"
    for known in (
        tables,
        reference({"structure": "odd\\$name.pdb", "chains": {"heavy": "H"}, "model": "m"}),
        reference("n.pdb"),
    ):
        assert reference(known.as_dict()) == known


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["n.pdb"], "run.yaml: reference: expected the path of a structure, {structure"),
        ({"chains": "auto"}, "run.yaml: reference: expected the path of a structure, {structure"),
        ({"structure": 7}, "run.yaml: reference.structure: expected the path of a structure, found 7"),
        (
            {"structure": "n.pdb", "chain": "auto"},
            "reference.chain is not a key of the configuration; did you mean refe",
        ),
        ({"structure": "n.pdb", "chains": {"hevy": "H"}}, "did you mean reference.chains.heavy?"),
        ({"structure": "n.pdb", "chains": {"antigen": []}}, "reference.chains.antigen: expected a chain name"),
        ({"structure": "n.pdb", "model": True}, "reference.model: expected the name or the number of a model"),
        ({"table": "r.csv", "chains": "auto"}, "reference.table: chains cannot stand beside a table"),
        ({"table": "none.csv"}, "none.csv cannot be read"),
        ("all.csv", "is a table by its name; write {table: all.csv}"),
        ("$NOWHERE/n.pdb", "the variable NOWHERE in '$NOWHERE/n.pdb' is not set"),
    ],
)
def test_what_is_no_reference_is_refused_by_its_key(value, said):
    assert said in refusal(value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("model,heavy", "x,H"), "expected the columns model, target, structure, of, heavy"),
        (("model,structure,native", "x,n.pdb,1"), "found model, structure, native"),
        (("structure", "n.pdb"), "line 2: expected a model or a target, found neither"),
        (("model,target,structure", "x,y,n.pdb"), "line 2: expected a model or a target, found both"),
        (("model,structure", "x,n.pdb", "y,"), "line 3: expected the path of a structure, found an empty cell"),
        (("model,structure", "x,n.pdb,H"), "line 2: expected at most 2 cells"),
        (("model,structure,antigen", "x,n.pdb,auto A"), "line 2.antigen: expected names or auto, found both"),
        (("model,structure",), "has no rows"),
    ],
)
def test_a_row_that_states_no_reference_is_refused_by_its_line(tmp_path, lines, said):
    with pytest.raises(ConfigError, match="references.csv") as refused:
        table(tmp_path / "references.csv", *lines)
    assert said in str(refused.value)


def test_a_command_states_the_same(tmp_path):
    assert reference_of_options(None, None, None, None) is None
    of = reference_of_options("n.pdb", "{heavy: H, light: L, antigen: [A, B]}", "2", None)
    chains = {"heavy": "H", "light": "L", "antigen": ["A", "B"]}
    assert of == reference({"structure": "n.pdb", "chains": chains, "model": 2})
    for wrong, said in (
        ((None, "auto", None, None), "--chains is said of a reference; state it as --reference FILE"),
        (("n.pdb", "{heavy: H", None, None), "--chains: "),
        ((None, None, None, "t.csv"), "t.csv cannot be read"),
        ((None, None, "m", "t.csv"), "--model is said of a reference"),
    ):
        with pytest.raises(ConfigError) as refused:
            reference_of_options(*wrong)
        assert said in str(refused.value)
