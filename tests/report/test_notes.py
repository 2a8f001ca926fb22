import pandas as pd
import pytest

from stagea_mpi.config.values import time_limit_seconds
from stagea_mpi.graph.timing import STAGES
from stagea_mpi.report import load, measures
from stagea_mpi.report.built_models import BuiltModels
from stagea_mpi.report.event_files import ModelColumns
from stagea_mpi.report.notes import notes
from stagea_mpi.report.tables import Telemetry, _own_seconds


def made_up(work: list[float], waited: list[float], cpus: list[list[int]] | None = None, **stage_a) -> Telemetry:
    """A run of one shard: each rank built one model of some seconds and then waited for the slowest rank."""
    size, wall = len(work), max(a + b for a, b in zip(work, waited, strict=True))
    cpus = cpus or [[rank] for rank in range(size)]
    ranks = pd.DataFrame(
        {
            "process": range(size), "launch": "a", "rank": range(size), "size": size, "node": "n1", "job": "1",
            "task": "0", "team": 0, "teams": 1,
            "phase": "full", "cpus": cpus, "slurm": [{"SLURM_NTASKS": str(size)}] * size,
            "started": 0.0, "ended": wall, "outcome": "ok",
        }
    )  # fmt: skip
    steps = [
        {"process": r, "rank": r, "stage": "voronoi", "phase": "graphs", "start": 0.0, "seconds": s, "model": f"m{r}"}
        for r, s in enumerate(work)
    ]
    steps += [
        {"process": r, "rank": r, "stage": "wait", "phase": "waiting", "start": work[r], "seconds": s, "on": "slowest"}
        for r, s in enumerate(waited)
    ]
    columns = ["stage", "phase", "model", "on", "bytes", "outcome", "wait_s", "models"]
    events = pd.DataFrame(steps).reindex(columns=[*dict.fromkeys([*steps[0], *columns])])
    events = events.assign(launch="a", node="n1", shard=0, outcome="ok", own_s=events["seconds"])
    models = pd.DataFrame(
        {"shard": 0, "model": [f"m{r}" for r in range(size)], "status": "ok", "launch": "a", "rank": range(size),
         "start": 0.0, "seconds": work, **dict.fromkeys(STAGES, 0.0)}
    )  # fmt: skip
    shards = pd.DataFrame(
        {"shard": [0], "state": ["done"], "n_inputs": [size], "n_models": [size], "n_fail": [0], "graphs_bytes": [1]}
    )
    samples = pd.DataFrame(
        {"node": ["n1"], "time": [1.0], "cpu_iowait_pct": [0.0], "ranks_rss_mib": [2048.0], "disk_read_MBps": [1.0],
         "net_rx_MBps": [1.0]}
    )  # fmt: skip
    failures = pd.DataFrame({"shard": [], "model": [], "reason": []})
    empty = pd.DataFrame()
    config = {"stage_a": {"mem_gb": 4.0, "time": "00:10:00"} | stage_a}
    return Telemetry(None, config, ranks, events, models, samples, empty, empty, shards, failures)


def test_a_rank_that_waits_for_the_largest_model_is_named_with_the_ranks_to_ask_for():
    work = [100.0, 50.0, 50.0, 10.0]
    found = notes(made_up(work, [100.0 - seconds for seconds in work]))
    (sentence,) = [text for text in found if "CPU efficiency" in text]
    assert "CPU efficiency 52%" in sentence
    assert "rank 3 waited 90% of the run" in sentence
    assert "m0, took 1 min 40 s" in sentence
    assert "`--ntasks=2`" in sentence


def test_a_run_without_graphs_h5_is_whole_and_what_writes_it_is_said():
    run = made_up([100.0, 99.0], [0.0, 1.0], time="00:04:00")
    assert "graphs.h5" not in notes(run)[0]
    run.shards["graphs_bytes"] = 0
    assert "The run is whole" in notes(run)[0]
    assert "; 1 without graphs.h5 (`write_graphs: 0`): `export` writes it." in notes(run)[0]


def test_all_is_well_is_said():
    assert "All is well" in notes(made_up([100.0, 99.0], [0.0, 1.0], time="00:04:00"))[-1]


def test_too_many_ranks_and_idle_cpus_are_told():
    many = notes(made_up([10.0] * 4, [0.0] * 4, [[0], [1], [0], [1]]))
    assert any("4 ranks shared 2 CPUs on n1" in text and "`--ntasks=2`" in text for text in many)
    few = notes(made_up([10.0], [0.0], [[0, 1, 2, 3]]))
    assert any("1 rank ran on 4 CPUs" in text and "`--ntasks-per-node=4`" in text for text in few)


@pytest.mark.parametrize(("asked", "line"), [(64.0, "`mem_gb: 4` would do"), (2.0, "ask for `mem_gb: 3`")])
def test_memory_is_compared_with_what_was_asked_for(asked, line):
    assert any(line in text for text in notes(made_up([10.0], [0.0], mem_gb=asked)))


def test_the_time_limit_is_compared_with_what_it_took():
    assert any('`time: "00:10:00"`' in text for text in notes(made_up([100.0], [0.0], time="1-00:00:00")))
    assert [time_limit_seconds(text) for text in ("90", "10:30", "01:00:00", "1-02", "2-00:00:30")] == [
        5400, 630, 3600, 93600, 172830,
    ]  # fmt: skip


def test_what_is_missing_is_said(run_copy, interrupted_run):
    text = "\n".join(notes(load(interrupted_run)))
    assert "The run is not whole" in text
    assert "2 of 2 ranks noted no end" in text
    for folder in ("telemetry", "compute_metrics"):
        for path in (interrupted_run / folder).iterdir():
            path.unlink()
    text = "\n".join(notes(load(interrupted_run)))
    assert "No events" in text
    assert "No samples" in text


def test_failures_are_counted_by_reason_with_their_meaning(two_rank_run):
    assert any(
        text.startswith("1 of 7 models failed with no_models: the file holds") for text in notes(load(two_rank_run))
    )


def test_time_inside_another_event_is_not_counted_twice():
    events = pd.DataFrame(
        {"process": 0, "stage": ["prep", "cluster", "publish", "list"], "start": [0.0, 1.0, 3.0, 10.0],
         "seconds": [10.0, 2.0, 4.0, 1.0]}
    )  # fmt: skip
    none = BuiltModels.of(ModelColumns())
    _own_seconds(events, none, 1)
    assert events["own_s"].tolist() == [4.0, 2.0, 4.0, 1.0]


def test_makespan_is_that_of_ranks_that_take_the_next_model():
    assert measures.makespan([3.0, 2.0, 2.0, 1.0], 2) == 4.0
    assert measures.makespan([5.0, 1.0, 1.0], 8) == 5.0


def test_models_inside_an_event_are_not_counted_twice_and_an_event_inside_a_model_neither():
    events = pd.DataFrame(
        {
            "process": [0, 0, 1],
            "stage": ["list", "publish", "list"],
            "start": [0.0, 20.0, 2.0],
            "seconds": [10.0, 1.0, 9.0],
        }
    )
    line = {"start": 2.0, "shard": 0, "model": ["inside", "around", "alone"], "start_us": [0, 17_000_000, 30_000_000],
            "n_atoms": [1, 1, 1]}  # fmt: skip
    spent = {
        "read": [1, 0.5, 1],
        "contacts": [1, 3.0, 1],
        "voronoi": [1, 0.5, 1],
        "burial": [0, 0, 1],
        "edges": [0, 0, 0],
    }
    columns = ModelColumns()
    columns.add_models(0, line | {f"{stage}_us": [int(1e6 * s) for s in each] for stage, each in spent.items()})
    stages = _own_seconds(events, BuiltModels.of(columns), 2)
    assert events["own_s"].tolist() == [7.0, 1.0, 9.0]  # the model inside took 3 s
    own = stages[stages["process"] == 0].set_index("stage")["own_s"].to_dict()
    assert own == {"read": 2.5, "contacts": 4.0, "voronoi": 2.5, "burial": 1.0}  # contacts: 1 + 3 − 1 s of publish + 1
