"""Tables and numbers of a real run against its raw files, read here without the package."""

import csv
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from event_lines import lines_of, steps_of, write_as_before

from stagea_mpi.errors import RunFolderError
from stagea_mpi.report import event_files, load, measures


def raw_events(root) -> list[dict]:
    """Lines of all ranks, with the rank of each; files end in `_<rank>.jsonl`."""
    found = []
    for path in sorted((root / "telemetry").glob("*.jsonl")):
        rank = int(path.stem.rsplit("_", 1)[1])
        found += [step | {"rank": rank} for line in lines_of(path) for step in steps_of(line)]
    return found


def test_every_model_shard_and_failure_is_in_its_table(two_rank_run):
    run = load(two_rank_run)
    with open(two_rank_run / "shards/shard_000000/failures.tsv") as file:
        failed = [row["model"] for row in csv.DictReader(file, delimiter="\t")]
    assert failed == ["broken"]
    assert list(run.failures["model"]) == failed
    assert len(run.models) == 7
    assert set(run.models.loc[run.models["status"] != "ok", "model"]) == {"broken"}
    metas = [json.loads(path.read_text()) for path in sorted((two_rank_run / "shards").glob("*/meta_stageA.json"))]
    for column in ("n_models", "n_ok", "n_fail", "graphs_bytes"):
        assert list(run.shards[column]) == [meta["result"][column] for meta in metas]
    assert set(run.shards["state"]) == {"done"}


def test_seconds_of_models_are_the_sums_of_their_events(two_rank_run):
    sums: dict[str, float] = {}
    for event in raw_events(two_rank_run):
        if "model" in event:
            sums[event["model"]] = sums.get(event["model"], 0.0) + event["seconds"]
    models = load(two_rank_run).models.set_index("model")
    assert set(sums) == set(models.index)
    for name, seconds in sums.items():
        assert models.loc[name, "seconds"] == pytest.approx(seconds, rel=1e-3, abs=1e-4)


def test_efficiency_is_work_over_the_time_of_all_ranks(two_rank_run):
    events = raw_events(two_rank_run)
    begin = min(event["start"] for event in events)
    end = max(event["start"] + event["seconds"] for event in events if event["stage"] != "writer")
    idle = ("wait", "startup", "start", "end", "writer", "open", "write", "exchange", "close")
    spans = [(e["rank"], e["start"], e["start"] + e["seconds"]) for e in events if e["stage"] not in idle]
    work = sum(union([span[1:] for span in spans if span[0] == rank]) for rank in (0, 1))
    assert measures.efficiency(load(two_rank_run)) == pytest.approx(work / (2 * (end - begin)), abs=0.01)


def union(spans: list[tuple[float, float]]) -> float:
    """Length of the union of some intervals."""
    total, reached = 0.0, -np.inf
    for low, high in sorted(spans):
        total += max(0.0, high - max(low, reached))
        reached = max(reached, high)
    return total


def test_phases_of_a_rank_add_up_to_its_time(two_rank_run):
    seconds = measures.rank_seconds(load(two_rank_run))
    assert list(seconds["rank"]) == [0, 1]
    assert seconds[list(measures.PHASE_ORDER)].sum(axis=1).to_numpy() == pytest.approx(seconds["wall_s"].to_numpy())
    assert (seconds["unaccounted"] < 0.5 * seconds["wall_s"]).all()  # less, but for a machine that stalls


def test_writes_sum_up_the_bytes_of_all_ranks(two_rank_run):
    noted = [event for event in raw_events(two_rank_run) if event["stage"] == "write"]
    writes = measures.writes(load(two_rank_run))
    assert list(writes["ranks"]) == [2, 2]
    assert writes["bytes"].sum() == sum(event["bytes"] for event in noted)
    first = [event for event in noted if event["shard"] == 0]
    assert writes.loc[0, "mb_per_s"] == pytest.approx(
        sum(event["bytes"] for event in first) / 1e6 / max(event["seconds"] for event in first)
    )
    assert writes.loc[0, "wait_s"] == max(event["wait_s"] for event in first)


def test_prediction_grows_with_the_models_but_for_the_start(two_rank_run):
    run = load(two_rank_run)
    one, ten, hundred = measures.prediction(run)["wall_s"]
    wall = float(measures.launches(run)["wall_s"].iloc[0])
    assert one == pytest.approx(wall, rel=0.02)
    assert hundred - ten == pytest.approx(90 / 9 * (ten - one))


def test_samples_hold_the_ranks_of_the_node(two_rank_run):
    run = load(two_rank_run)
    pids = {event["pid"] for event in raw_events(two_rank_run)}
    assert set(run.processes["pid"]) == pids
    assert set(run.processes["rank"]) == {0, 1}
    assert run.samples["cpu_total_pct"].notna().any()
    assert (run.samples["ranks_rss_mib"].dropna() > 50).any()
    assert run.cores.filter(like="cpu").shape[1] >= 1


def test_an_interrupted_run_is_read_as_far_as_it_came(interrupted_run):
    run = load(interrupted_run)
    assert run.unread == 2
    assert run.ranks["outcome"].isna().all()
    assert list(run.shards["state"]) == ["done", "waiting"]
    in_second = run.models[run.models["shard"] == 1]
    assert len(in_second) >= 1
    assert in_second["seconds"].gt(0).all()
    assert measures.launches(run)["outcome"].tolist() == ["no end noted"]


def test_a_run_without_events_and_samples_still_has_its_models(run_copy):
    shutil.rmtree(run_copy / "telemetry")
    shutil.rmtree(run_copy / "compute_metrics")
    run = load(run_copy)
    assert len(run.models) == 7
    assert run.events.empty
    assert run.samples.empty
    assert np.isnan(measures.efficiency(run))


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="holds no run"):
        load(tmp_path)


def test_a_second_start_is_a_launch_of_its_own(run_copy):
    for path in (run_copy / "telemetry").glob("*.jsonl"):
        lines = lines_of(path)
        again = [line | {"start": line["start"] + 100, "pid": line["pid"] + 100_000} for line in lines]
        again[0]["launch"] = "second"
        with open(path, "a") as file:
            file.writelines(json.dumps(line) + "\n" for line in again)
    run = load(run_copy)
    assert len(measures.launches(run)) == 2
    assert len(run.models) == 7
    assert set(run.models["launch"]) == {"second"}


def test_events_of_earlier_versions_give_the_same_tables(run_copy, two_rank_run):
    """These had a line for each stage of a model, which began at a time of its own, rounded to 0.1 ms."""
    for path in (run_copy / "telemetry").glob("*.jsonl"):
        write_as_before(path)
        assert "start_us" not in path.read_text()
    before, now = load(run_copy), load(two_rank_run)
    assert before.unread == now.unread == 0
    assert before.models["start"].to_numpy() == pytest.approx(now.models["start"].to_numpy(), abs=2e-4)
    columns = [column for column in now.models.columns if column != "start"]
    pd.testing.assert_frame_equal(before.models[columns], now.models[columns])
    pd.testing.assert_frame_equal(before.stages, now.stages)
    spent = [measures.rank_seconds(run)[list(measures.WORK)].to_numpy() for run in (before, now)]
    assert spent[0] == pytest.approx(spent[1], abs=1e-3)


def test_files_are_read_in_pieces_as_they_are_read_at_once(interrupted_run, monkeypatch):
    whole = load(interrupted_run)
    for size in (1, 97, 1000):
        monkeypatch.setattr(event_files, "PIECE_BYTES", size)
        parts = load(interrupted_run)
        assert parts.unread == whole.unread == 2
        for table in ("ranks", "models", "events", "stages", "stretches", "failures"):
            pd.testing.assert_frame_equal(getattr(parts, table), getattr(whole, table))


def test_stages_that_two_pieces_share_are_one_models(run_copy, monkeypatch):
    for path in (run_copy / "telemetry").glob("*.jsonl"):
        write_as_before(path)
    whole = load(run_copy)
    monkeypatch.setattr(event_files, "PIECE_BYTES", 1)  # each line is a piece
    parts = load(run_copy)
    pd.testing.assert_frame_equal(parts.models, whole.models)
    pd.testing.assert_frame_equal(parts.stages, whole.stages)


def test_a_line_that_is_not_as_expected_is_counted_and_adds_nothing(run_copy):
    path = next(iter(sorted((run_copy / "telemetry").glob("*.jsonl"))))
    models = next(line for line in lines_of(path) if line["stage"] == "models")
    bad = [
        models | {"n_atoms": models["n_atoms"][1:] + ["many"]},
        models | {"read_us": models["read_us"][1:]},
        models | {"failed": [[len(models["model"]), "read", "timeout"]]},
        models | {"seconds": None},
        models | {"pid": 0},
        {"stage": "list", "start": "now", "seconds": 1.0, "pid": models["pid"]},
        [1, 2],
    ]
    whole = load(run_copy)
    with open(path, "a") as file:
        file.writelines(json.dumps(line) + "\n" for line in bad)
    run = load(run_copy)
    assert run.unread == len(bad)
    for table in ("ranks", "models", "events", "stages"):
        pd.testing.assert_frame_equal(getattr(run, table), getattr(whole, table))
