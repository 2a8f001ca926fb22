import json
import logging
import signal
import subprocess
import sys
import time
from pathlib import Path
from time import perf_counter

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


def test_a_models_stages_follow_each_other_and_a_failure_stands_on_its_stage(tmp_path):
    with EventLog(tmp_path / "events.jsonl") as events:
        start = perf_counter()
        spent = dict.fromkeys(STAGES, 0.0) | {"read": 0.25, "contacts": 0.5}
        events.note_model("m", start, spent, 1.0, "timeout", 100, 0)
        events.note_model("whole", start, dict.fromkeys(STAGES, 0.1), 0.5, None, 100, 4096)
    lines = lines_of(tmp_path / "events.jsonl")
    failed = [line for line in lines if line["model"] == "m"]
    assert [(line["stage"], line["outcome"]) for line in failed] == [
        ("read", "ok"), ("contacts", "ok"), ("voronoi", "timeout"),
    ]  # fmt: skip
    assert [line["seconds"] for line in failed] == pytest.approx([0.25, 0.5, 0.25])
    assert failed[1]["start"] - failed[0]["start"] == pytest.approx(0.25, abs=1e-3)
    whole = [line for line in lines if line["model"] == "whole"]
    assert [line["stage"] for line in whole] == list(STAGES)
    assert (whole[0]["n_atoms"], whole[-1]["bytes"]) == (100, 4096)


def test_lines_can_be_read_while_the_rank_is_busy_and_survive_its_kill(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from stagea_mpi.telemetry.events import EventLog\n"
        "events = EventLog(Path(sys.argv[1])); events.note('list', time.perf_counter(), 0.5)\n"
        "print('noted', flush=True); time.sleep(100_000)"
    )
    path = tmp_path / "events.jsonl"
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"noted\n"
        wait_until(path.read_text, "the line")
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.communicate(timeout=HANG_S)
    assert [line["stage"] for line in lines_of(path)] == ["list"]


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
    assert len(lines_of(path)) == 1000 * len(STAGES)
