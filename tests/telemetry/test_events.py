import json
import logging
import signal
import subprocess
import sys
import time
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from holding import HANG_S, wait_until

from stagea_mpi.graph.timing import STAGES
from stagea_mpi.telemetry import events as events_module
from stagea_mpi.telemetry.events import EventLog, WriterLine


def lines_of(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def test_a_line_says_what_was_done_when_and_how_it_ended(tmp_path):
    with EventLog(tmp_path / "events.jsonl") as events:
        before = time.time()
        events.shard = 3
        with events.timed("write", bytes=10) as fields:
            fields["models"] = 2
        with pytest.raises(ZeroDivisionError), events.timed("cluster", shard=2):
            raise ZeroDivisionError
    after = time.time()
    write, cluster = lines_of(tmp_path / "events.jsonl")
    assert {"stage": "write", "outcome": "ok", "shard": 3, "bytes": 10, "models": 2}.items() <= write.items()
    assert before - 0.01 <= write["start"] <= after + 0.01
    assert write["seconds"] >= 0
    assert (cluster["outcome"], cluster["shard"]) == ("ZeroDivisionError", 2)


def test_models_of_a_shard_share_a_line_and_a_failure_stands_on_its_stage(tmp_path):
    with EventLog(tmp_path / "events.jsonl") as events:
        events.shard, start = 3, perf_counter()
        spent = dict.fromkeys(STAGES, 0.0) | {"read": 0.25, "contacts": 0.5}
        events.note_model("m", start, spent, 1.0, "timeout", 100, 0)
        events.note_model("whole", start + 1.5, dict.fromkeys(STAGES, 0.1), 0.5, None, 200, 4096)
        events.note("wait", start + 2.0, 0.1, on="slowest")
        events.note_model("behind", start + 2.5, dict.fromkeys(STAGES, 0.1), 0.5, None, 300, 1)
        events.shard = 4
        events.note_model("other", start + 3.0, dict.fromkeys(STAGES, 0.1), 0.5, None, 300, 1)
    models, wait, behind, other = lines_of(tmp_path / "events.jsonl")
    assert (models["stage"], models["shard"], models["model"]) == ("models", 3, ["m", "whole"])
    assert (models["start_us"], models["n_atoms"], models["bytes"]) == ([0, 1_500_000], [100, 200], [0, 4096])
    assert [models[f"{stage}_us"] for stage in STAGES] == [
        [250_000, 100_000], [500_000, 100_000], [250_000, 100_000], [0, 100_000], [0, 100_000], [0, 100_000],
    ]  # fmt: skip
    assert models["failed"] == [[0, "voronoi", "timeout"]]
    assert models["seconds"] == pytest.approx(2.1)
    assert (wait["stage"], behind["model"], other["model"], other["shard"]) == ("wait", ["behind"], ["other"], 4)
    assert "failed" not in behind


def test_a_million_models_take_less_than_a_hundred_bytes_each(tmp_path):
    random, path = np.random.default_rng(1), tmp_path / "events.jsonl"
    with EventLog(path) as events:
        for number in range(2000):
            events.shard = number // 100
            seconds = dict(zip(STAGES, random.uniform(0.001, 0.03, len(STAGES)), strict=True))
            events.note_model(f"pose_{number:07d}", number * 0.05, seconds, 0.05, None, 3859, 76_543)
    assert path.stat().st_size < 100 * 2000


def test_lines_can_be_read_while_the_rank_is_busy_and_survive_its_kill(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from stagea_mpi.telemetry.events import EventLog\n"
        "events = EventLog(Path(sys.argv[1])); events.note('list', time.perf_counter(), 0.5)\n"
        "events.note_model('m', time.perf_counter(), {'read': 0.5}, 0.5, None, 10, 20)\n"
        "print('noted', flush=True); time.sleep(100_000)"
    )
    path = tmp_path / "events.jsonl"
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"noted\n"
        wait_until(lambda: len(lines_of(path)) == 2, "the lines")
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.communicate(timeout=HANG_S)
    list_, models = lines_of(path)
    assert (list_["stage"], models["stage"], models["model"], models["read_us"]) == ("list", "models", ["m"], [500_000])


def test_a_second_start_ends_the_line_that_a_kill_has_cut(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"stage":"rea')
    with EventLog(path) as events:
        events.note("list", perf_counter(), 0.5)
    cut, whole = path.read_text().splitlines()
    assert cut == '{"stage":"rea'
    assert json.loads(whole)["stage"] == "list"


def test_a_file_that_cannot_be_written_costs_a_warning_and_not_the_run(tmp_path, caplog):
    with caplog.at_level(logging.WARNING), EventLog(tmp_path / "missing" / "events.jsonl") as events:
        events.note("list", perf_counter(), 0.5)
    assert "the run goes on" in caplog.text


def test_a_disk_that_fills_up_costs_the_events_and_not_the_run(caplog):
    with caplog.at_level(logging.WARNING), EventLog(Path("/dev/full")) as events:
        events.note("list", perf_counter(), 0.5)
        events.flush()
        events.note("list", perf_counter(), 0.5)
    assert caplog.text.count("No space left on device") == 1


def test_the_writers_line_counts_what_is_held_and_goes_to_the_log_when_asked(tmp_path, caplog):
    with caplog.at_level(logging.INFO), EventLog(tmp_path / "events.jsonl") as events:
        writer = WriterLine(events, every_s=0.0, on_log=True)
        writer.processed(failed=False)
        writer.processed(failed=True)
        writer.processed(failed=False)
        writer.written()
    keys = ("processed", "written", "errors", "held")
    counts = [tuple(line[key] for key in keys) for line in lines_of(tmp_path / "events.jsonl")]
    assert counts == [(1, 0, 0, 1), (2, 0, 1, 1), (3, 0, 1, 2), (3, 2, 1, 0)]
    assert "3 processed, 2 written, 1 errors" in caplog.text


def test_a_models_events_wait_in_memory_so_that_noting_them_costs_no_write(tmp_path, monkeypatch):
    monkeypatch.setattr(events_module, "FLUSH_EVERY_S", HANG_S)
    path = tmp_path / "events.jsonl"
    with EventLog(path) as events:
        for number in range(1000):
            events.note_model(f"model_{number}", 0.0, dict.fromkeys(STAGES, 0.01), 0.05, None, 4000, 20_000)
        assert path.stat().st_size == 0
    assert [len(line["model"]) for line in lines_of(path)] == [1000]
