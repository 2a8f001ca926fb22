"""The public API: one graph from one file, against the numbers of DeepRank-Ab and of a run."""

import gzip
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import pytest
from holding import HANG_S, wait_until
from launching import ROOT, launch_environment
from peer_comparison import differences
from shipped import FAB_CHAINS, NANOBODY_CHAINS, STRUCTURES, fab, nanobody, three_poses

import stagea_mpi
from stagea_mpi import Chains, ConfigError, ModelError, StageAError, build_graph
from stagea_mpi.antibody.chain_rules import ChainRule
from stagea_mpi.antibody.complexes import ResidueRange
from stagea_mpi.config.chains import check_chains
from stagea_mpi.demo import poses as demo_poses
from stagea_mpi.inputs import list_models
from stagea_mpi.pipeline.compute_model import compute_model
from stagea_mpi.pipeline.inventory import ModelEntry
from stagea_mpi.storage.deeprank_writer import write_graphs

pytestmark = pytest.mark.slow

FAB = STRUCTURES / "7DAA_model.pdb.gz"
NANOBODY = STRUCTURES / "7CFN.cif.gz"
DATA = Path(__file__).parent / "data"
HEAVY = ("numpy", "h5py", "mpi4py", "pandas", "scipy", "matplotlib", "gemmi", "typing")


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory) -> Path:
    """The poses of `shipped.three_poses`."""
    path = tmp_path_factory.mktemp("ensemble") / "ensemble.pdb"
    return demo_poses.write_ensemble(path, demo_poses.COMPLEXES["7DAA"], count=3, seed=7)


def loaded_after(statement: str) -> list[str]:
    code = f"import sys; {statement}; print(*[name for name in {HEAVY} if name in sys.modules])"
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"]
    done = subprocess.run(
        command, cwd=ROOT, env=launch_environment(), capture_output=True, text=True, check=True, timeout=HANG_S
    )
    return done.stdout.split()


def test_the_package_alone_loads_nothing():
    assert loaded_after("import stagea_mpi; dir(stagea_mpi); stagea_mpi.__version__; stagea_mpi.ModelError") == []


def test_type_checkers_are_told_that_it_has_types():
    assert (Path(stagea_mpi.__file__).parent / "py.typed").is_file()


def test_a_graph_is_built_without_hdf5_mpi_or_pandas():
    built = f"import stagea_mpi; repr(stagea_mpi.build_graph({str(FAB)!r}, heavy='H', light='L', antigen='A'))"
    assert not {"h5py", "mpi4py", "pandas", "matplotlib"} & set(loaded_after(built))


def test_every_public_name_is_there_and_another_is_none():
    assert set(stagea_mpi.__all__) <= set(dir(stagea_mpi))
    assert all(getattr(stagea_mpi, name).__name__ == name for name in stagea_mpi.__all__)
    with pytest.raises(AttributeError, match="no attribute 'build_grahp'"):
        _ = stagea_mpi.build_grahp


@pytest.mark.parametrize(
    ("path", "stated", "peer"),
    [
        (FAB, {"heavy": "H", "light": "L", "antigen": "A"}, "7DAA_model"),
        (FAB, {"chains": "auto"}, "7DAA_model"),
        (NANOBODY, {"heavy": "N", "light": None, "antigen": ["A", "B", "G", "R"]}, "7CFN"),
    ],
    ids=["stated", "auto", "nanobody"],
)
def test_a_graph_has_the_numbers_of_deeprank_ab(path, stated, peer, tmp_path):
    graph = build_graph(path, **stated).cluster()
    write_graphs(str(tmp_path / "ours.h5"), [(graph.name, graph, graph.clusters)])
    (tmp_path / "theirs.h5").write_bytes(gzip.decompress((DATA / f"peer_{peer}.h5.gz").read_bytes()))
    assert differences(tmp_path / "ours.h5", tmp_path / "theirs.h5") == []


def test_a_graph_equals_that_of_a_run_bit_by_bit(two_rank_run):
    run = stagea_mpi.Run(two_rank_run)
    name = next(iter(run))
    graph = build_graph(two_rank_run.parent / "input" / f"{name}.pdb", chains="auto").cluster()
    assert graph == run[name]
    assert all(map(np.array_equal, graph.clusters, run[name].clusters))


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"chains": "auto"},
        {"heavy": "H"},
        {"chains": FAB_CHAINS},
        {"chains": ChainRule(antigen=("A",))},
        {"chains": {"heavy": "H", "antigen": "A", "check": False}},
        {"antigen": np.array(["A"])},
        {"antigen": iter("A")},
        {"chains": Chains("H", "L", "A")},
        {"chains": Chains("H", "L", ["A"])},
    ],
    ids=["nothing", "auto", "a part", "Chains", "ChainRule", "as in run.yaml", "array", "iterator", "text", "list"],
)
def test_chains_may_be_found_or_stated_in_several_ways(stated):
    assert build_graph(FAB, **stated) == fab().graph


def test_a_path_may_be_a_text():
    assert build_graph(str(FAB), chains="auto").name == "7DAA_model"


@pytest.mark.parametrize(
    ("path", "chains", "built"), [(FAB, FAB_CHAINS, fab), (NANOBODY, NANOBODY_CHAINS, nanobody)], ids=["PDB", "mmCIF"]
)
def test_a_structure_of_gemmi_gives_what_its_file_gives_and_stays_as_it_is(path, chains, built):
    structure = gemmi.read_structure(str(path))
    before = structure.make_pdb_string()
    assert build_graph(structure, chains=chains) == built().graph
    assert structure.make_pdb_string() == before


def test_of_a_structure_with_several_models_the_first_counts_or_the_one_asked_for(ensemble):
    structure = gemmi.read_structure(str(ensemble))
    first, _, third = (built.graph for built in three_poses())
    assert build_graph(structure, chains=FAB_CHAINS) == first
    assert build_graph(structure, chains=FAB_CHAINS, model=3) == third


def test_a_model_is_chosen_in_the_same_ways_from_a_file_and_from_a_structure(ensemble):
    structure = gemmi.read_structure(str(ensemble))
    third = three_poses()[2]
    for source, name in ((ensemble, third.name), (structure, f"{structure.name}_model_3")):
        for model in (name, 3, "3", np.int64(3)):
            assert build_graph(source, chains=FAB_CHAINS, model=model) == third.graph
        for model in (4, "4", "pose_9"):
            with pytest.raises(ConfigError, match=rf"no model is {model!r}; expected one of .*{name} \(3\)"):
                build_graph(source, chains=FAB_CHAINS, model=model)


def test_of_a_file_with_several_models_one_has_to_be_chosen(ensemble):
    names = [built.name for built in three_poses()]
    assert build_graph(ensemble, chains=FAB_CHAINS, model=names[1]) == three_poses()[1].graph
    assert build_graph(ensemble, chains=FAB_CHAINS, model=2) == three_poses()[1].graph
    listed = rf"{names[0]} \(1\), {names[1]} \(2\), {names[2]} \(3\)"
    with pytest.raises(ConfigError, match=rf"3 models; expected one of them as model=: {listed}"):
        build_graph(ensemble, chains=FAB_CHAINS)
    with pytest.raises(ConfigError, match=rf"no model is 'pose_9'; expected one of {listed}"):
        build_graph(ensemble, chains=FAB_CHAINS, model="pose_9")


def test_models_may_be_counted_from_0(ensemble, tmp_path):
    text = re.sub(r"(?m)^MODEL +(\d+)", lambda line: f"MODEL     {int(line[1]) - 1:4d}", ensemble.read_text())
    (tmp_path / "from_0.pdb").write_text(text)
    found = [build_graph(tmp_path / "from_0.pdb", chains=FAB_CHAINS, model=number) for number in (0, 1)]
    assert found == [built.graph for built in three_poses()[:2]]


def test_a_file_of_one_model_has_number_1():
    assert build_graph(FAB, chains=FAB_CHAINS, model=1) == build_graph(FAB, chains=FAB_CHAINS, model="7DAA_model")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"chains": "auto", "heavy": "H"}, "chains and heavy are both stated"),
        ({"heavy": "H", "light": "H,L", "antigen": []}, "antigen: expected a chain name or a list of them"),
        ({"heavy": "A", "antigen": "A"}, "A is named 2 times"),
        ({"heavy": None}, "expected the name of the antibody's heavy chain, found None"),
        ({"chains": 3}, "expected auto, .* found 3"),
        ({"chains": {"haevy": "H"}}, "expected some of heavy, light, .* found haevy"),
        ({"chains": {"table": "chains.csv"}}, "chains.csv cannot be read"),
        ({"antigen": {"A", "B"}}, "antigen: chains are merged in order; expected a list of names, found {"),
        ({"chains": {"antigen": {"A": 1}}}, "antigen: chains are merged in order; expected a list of names, found {"),
        ({"antigen": b"A"}, "antigen: expected the name of a chain, found b'A'; write it as text"),
        ({"antigen": [b"A"]}, "antigen: expected the name of a chain, found b'A'; write it as text"),
        ({"antigen": iter(())}, "antigen: expected a chain name or a list of them, found \\[\\]"),
        ({"chains": Chains(None, "L", ("A",))}, "heavy: expected the name of the antibody's heavy chain, found None"),
        ({"chains": Chains("H", 1, ("A",))}, "light: expected the name of a chain, or None, found 1"),
        ({"chains": Chains("H", "", ("A",))}, "light: expected the name of a chain, or None, found ''"),
        ({"chains": Chains("H", "L", ())}, r"antigen: expected a chain name or a list of them, found \(\)"),
        ({"chains": Chains("H", "L", None)}, "antigen: expected a chain name or a list of them, found None"),
        ({"chains": Chains("H", "L", (b"A",))}, "antigen: expected a chain name or a list of them, found"),
        ({"chains": Chains("H", "L", ("A", "A"))}, "A is named 2 times"),
        ({"chains": Chains("H", "L", ("H",))}, "H is named 2 times"),
        ({"chains": Chains("H", "H", ("A",))}, "heavy and light are of one chain, H, and .* share residues"),
        ({"chains": Chains("H", "H", ("A",), ResidueRange(0, 110), ResidueRange(109))}, "share residues"),
        ({"chains": Chains("H", "L", ("A",), ResidueRange(5, 5))}, "heavy_range: expected ResidueRange"),
        ({"chains": Chains("H", "L", ("A",), light_range=(0, 110))}, "light_range: expected ResidueRange"),
        ({"chains": Chains("H", "L", ("A",), check="perhaps")}, "check: expected 0 or 1, found 'perhaps'"),
        ({"chains": ChainRule(heavy=3.5)}, "heavy: expected the name of a chain, found 3.5"),
        ({"chains": ChainRule("H", "L", ("A", "L"))}, "L is named 2 times"),
        ({"model": 1.5}, "expected a name or a number, found 1.5"),
        ({"timeout": 0}, "expected seconds above 0, or None, found 0"),
    ],
)
def test_a_wrong_argument_is_named_with_what_was_expected(arguments, message):
    with pytest.raises(ConfigError, match=f"build_graph.*{message}"):
        build_graph(FAB, **arguments)


def test_what_is_neither_a_path_nor_a_structure_is_refused():
    with pytest.raises(ConfigError, match="expected the path of a file or a gemmi.Structure, found bytes"):
        build_graph(b"ATOM")


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "unreadable"), (b"no structure\n", "no_models")], ids=["no file", "no structure"]
)
def test_a_file_that_is_none_fails_with_a_runs_reason(content, reason, tmp_path):
    if content is not None:
        (tmp_path / "pose.pdb").write_bytes(content)
    with pytest.raises(ModelError, match=r"pose\.pdb") as failure:
        build_graph(tmp_path / "pose.pdb")
    assert failure.value.reason == reason


def test_a_structure_without_models_fails_with_a_runs_reason():
    with pytest.raises(ModelError) as failure:
        build_graph(gemmi.Structure())
    assert failure.value.reason == "no_models"


@pytest.mark.parametrize(
    ("chains", "reason"),
    [
        (Chains("X", None, ("A",)), "chain_missing"),
        (Chains("L", "H", ("A",)), "wrong_chain_type"),
        (Chains("A", None, ("H", "L")), "antibody_in_antigen"),
    ],
)
def test_a_model_fails_with_a_runs_reason(chains, reason):
    with pytest.raises(ModelError) as failure:
        build_graph(FAB, chains=chains)
    assert failure.value.reason == reason


def test_chains_are_taken_as_stated_where_nothing_is_checked():
    graph = build_graph(FAB, chains=replace(Chains("L", "H", ("A",)), check=False))
    assert len(graph.interface) == len(fab().graph.interface)


def test_an_error_of_our_own_is_a_models_failure(monkeypatch):
    monkeypatch.setattr("stagea_mpi.pipeline.one_model.merge_chains", lambda *arguments: 1 / 0)
    with pytest.raises(ModelError, match="ZeroDivisionError") as failure:
        build_graph(FAB)
    assert failure.value.reason == "unexpected"
    assert isinstance(failure.value.__cause__, ZeroDivisionError)


def test_two_threads_build_graphs_at_once(ensemble):
    with ThreadPoolExecutor(2) as pool:
        found = [
            pool.submit(build_graph, ensemble, chains="auto", model=number, timeout=HANG_S) for number in (1, 2, 3)
        ]
        assert [future.result(HANG_S) for future in found] == [built.graph for built in three_poses()]


def test_a_time_limit_holds_on_any_thread(monkeypatch):
    def hang(*arguments):
        while True:
            pass

    monkeypatch.setattr("stagea_mpi.pipeline.one_model.merge_chains", hang)
    with ThreadPoolExecutor(1) as pool:
        for error in (
            pool.submit(build_graph, FAB, chains=FAB_CHAINS, timeout=0.5).exception(HANG_S),
            pytest.raises(ModelError, build_graph, FAB, chains=FAB_CHAINS, timeout=0.5).value,
        ):
            assert error.reason == "timeout"
            assert "took longer than timeout = 0.5 s" in str(error)


def test_a_model_of_a_run_computes_on_any_thread():
    """In a notebook's thread each model failed as `unexpected`, for the lack of signals there."""
    entry = ModelEntry(list_models(str(FAB)).models[0], chains=FAB_CHAINS, checked=fab().checked)
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(compute_model, entry, HANG_S).result(HANG_S)
    assert result.failure is None
    assert result.graph == fab().graph


def test_a_limit_beyond_what_clocks_take_is_none():
    for timeout in (float("inf"), 1e300, 1e10, np.int64(10**9)):
        assert build_graph(FAB, heavy="H", light="L", antigen="A", timeout=timeout) == fab().graph


def test_a_callers_own_alarm_comes_after_a_limit_that_was_kept():
    came = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: came.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        build_graph(FAB, heavy="H", light="L", antigen="A", timeout=HANG_S)
        wait_until(lambda: came, "the alarm")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def test_of_models_with_one_number_in_a_structure_the_first_counts(ensemble):
    structure = gemmi.read_structure(str(ensemble))
    expected = build_graph(structure, model=1)
    structure[1].num = 1
    assert build_graph(structure, model=1) == expected
    assert build_graph(structure, model=expected.name) == expected


def test_threads_may_save_to_one_path(tmp_path):
    graph, path = build_graph(FAB, heavy="H", light="L", antigen="A"), tmp_path / "graph.h5"
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: graph.save(path), range(16))) == [None] * 16
    assert stagea_mpi.InterfaceGraph.load(path) == graph
    assert [entry.name for entry in tmp_path.iterdir()] == ["graph.h5"]


@pytest.mark.parametrize("path", [None, 3, b"x"])
def test_what_is_no_path_is_named(path):
    for use in (stagea_mpi.InterfaceGraph.load, stagea_mpi.Run):
        with pytest.raises(ConfigError, match="expected a path, found"):
            use(path)


def test_a_damaged_file_of_a_graph_is_called_so(tmp_path):
    path = tmp_path / "graph.h5"
    build_graph(FAB, heavy="H", light="L", antigen="A").save(path)
    content = bytearray(path.read_bytes())
    content[100:160] = b"\xff" * 60
    path.write_bytes(content)
    with pytest.raises(StageAError, match=re.escape(str(path))):
        stagea_mpi.InterfaceGraph.load(path)
    with pytest.raises(StageAError, match="is missing"):
        stagea_mpi.InterfaceGraph.load(tmp_path / "absent.h5")


def test_parts_of_one_chain_may_be_heavy_and_light():
    chains = Chains("H", "H", ["A"], ResidueRange(0, 110), ResidueRange(110))
    assert check_chains(chains, "chains") == replace(chains, antigen=("A",))
