"""Costs of a run's parts from its events: against made events, whose costs are known, and a real run's own times."""

import dataclasses
import json

import pytest

from stagea_mpi.errors import RunFolderError
from stagea_mpi.pipeline.simulation import StageCosts, simulate
from stagea_mpi.report import scaling
from stagea_mpi.report.stage_costs import stage_costs
from stagea_mpi.report.tables import load
from stagea_mpi.rundir.folders import RunFolder

START = 1000.0


@pytest.fixture
def made(tmp_path):
    """A run of one rank on two shards of two models, whose events follow each other without gaps but one."""
    lines, now = [], START

    def note(stage: str, seconds: float, inside: tuple = (), **fields) -> None:
        nonlocal now
        lines.append({"stage": stage, "start": now, "seconds": seconds, "outcome": "ok", "pid": 7} | fields)
        if not inside:
            now += seconds
        for name, spent in inside:
            note(name, spent, **fields)
        if inside:
            now += seconds - sum(spent for _, spent in inside)

    note("start", 0.0, launch="a", rank=0, size=1, team=0, team_rank=0, teams=1, node="n", phase="full")
    note("startup", 2.0)
    for shard in (0, 1):
        of = {"shard": shard}
        note("prep", 0.5, **of)
        note("list", 0.4, **of)
        note("annotate", 3.25 if shard == 0 else 0.5, **of)
        for model, seconds in (("a", 1.0), ("b", 3.0)):
            note("read", seconds, model=f"{model}{shard}", n_atoms=9, **of)
            now += 0.25  # what no stage accounts for
        now -= 0.25
        note("exchange", 0.0625, **of)
        note("open", 0.125, **of)
        note("write", 0.1875, **of)
        note("close", 0.125, **of)
        note("publish", 0.75, **of)
        note("finish", 2.0, inside=(("cluster", 0.25), ("publish", 1.25)), **of)
    note("end", 0.0, max_rss_mib=1)
    (tmp_path / "telemetry").mkdir()
    (tmp_path / "telemetry" / "events_stageA_local_0_rank_0000.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines)
    )
    RunFolder(tmp_path).write_config({})
    return tmp_path


def test_each_cost_is_taken_from_its_events(made):
    costs = stage_costs(load(made))
    known = dataclasses.asdict(costs)
    known["model_s"] = (costs.model_s[0], costs.model_s[-1])
    assert known == {
        "model_s": pytest.approx((1.25, 3.25), abs=1e-6),
        "list_s": pytest.approx(0.2 + 0.25),  # 0.5 s of numbering for two models of the later shard
        "write_s": pytest.approx(0.125),
        "finish_s": pytest.approx(0.75),
        "open_s": pytest.approx(0.5),
        "publish_s": pytest.approx(0.75 + 0.25),
        "finish_shard_s": pytest.approx(0.5),
        "startup_s": 2.0,
        "number_s": pytest.approx(3.25 - 0.5),
        **dict.fromkeys(("read_bytes", "packed_bytes", "graphs_bytes"), 0.0),
        # What no event tells is as docs/files.md counts it.
        **{name: getattr(StageCosts((1.0,)), name) for name in ("model_operations", "shard_operations")},
        "startup_operations": StageCosts((1.0,)).startup_operations,
    }


def test_without_events_of_models_there_are_no_costs(made):
    for path in (made / "telemetry").iterdir():
        path.unlink()
    with pytest.raises(RunFolderError, match="holds no events of models"):
        stage_costs(load(made))


def test_a_real_runs_costs_account_for_its_time(two_rank_run):
    """Its seconds hold what two ranks wait for each other: the simulation of one rank gives no less than their work."""
    run = load(two_rank_run)
    costs = stage_costs(run)
    shards = run.models["shard"].value_counts().tolist()
    worked = run.models["seconds"].sum() + run.events.loc[run.events["stage"] == "finish", "seconds"].sum()
    assert simulate(costs, shards, [1]).build_s >= worked * 0.99
    assert costs.read_bytes > costs.packed_bytes > 0


def test_a_run_is_set_beside_its_simulation(made, two_rank_run):
    table = scaling.beside_simulation([two_rank_run, made])
    assert list(table.index) == [1, 2]
    # Events of 20.05 s and a gap of 0.25 s in each shard; the simulation has such a gap after each of four models.
    assert table.loc[1, "build_s"] == pytest.approx(20.55)
    assert table.loc[1, "simulated_s"] == pytest.approx(21.05, rel=0.05)
    assert table["ratio"].to_numpy() == pytest.approx(table["build_s"] / table["simulated_s"])


def test_simulated_runs_have_a_row_for_each_number_of_ranks(made):
    table = scaling.simulated(stage_costs(load(made)), 250, [1, 2, 300], models_a_shard=100, ranks_a_node=128)
    assert table["nodes"].tolist() == [1, 1, 3]
    assert table["speed_up"].is_monotonic_increasing
    assert table.loc[1, "efficiency"] == pytest.approx(1.0)
