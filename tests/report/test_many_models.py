"""A run of 2,000 models, made by repeating the events of a real one."""

import json
import shutil

import numpy as np
import pytest
from event_lines import lines_of

from stagea_mpi.report import load, measures, plots
from stagea_mpi.report.report import write_report

MODELS = 2000


def test_two_thousand_models_are_loaded_and_drawn_in_a_report_that_a_browser_takes(run_copy, tmp_path):
    shutil.rmtree(run_copy / "shards" / "shard_000001")
    for path in (run_copy / "telemetry").glob("*.jsonl"):
        lines = [line for line in lines_of(path) if line["stage"] == "models"]
        span = max(line["start"] + line["seconds"] for line in lines) - min(line["start"] for line in lines)
        with open(path, "a") as file:
            for turn in range(1, MODELS // 7 + 1):
                for line in lines:
                    names = [f"{name}_{turn}" for name in line["model"]]
                    again = line | {"start": line["start"] + turn * span, "model": names}
                    file.write(json.dumps(again) + "\n")
    run = load(run_copy)
    assert len(run.models) >= MODELS
    assert measures.completions(run)["done"].iloc[-1] >= MODELS
    path = write_report(run_copy, tmp_path / "report.html")
    assert path.stat().st_size < 15e6


def test_of_more_events_than_dots_each_lane_shows_the_phases_shares(two_rank_run, monkeypatch):
    run = load(two_rank_run)
    monkeypatch.setattr(plots, "_MOST_BARS", 0)
    monkeypatch.setattr(plots, "_BINS", 50)
    figure = plots.rank_timeline(run)
    areas = [area for area in figure.axes[0].collections if area.get_hatch() == "xxx"]  # waiting, a lane each
    edges = np.linspace(0.0, max(measures.rank_seconds(run)["wall_s"]), 51)
    drawn = [np.ptp(area.get_paths()[0].vertices, axis=0) for area in areas]
    assert len(drawn) == 2
    assert all(width <= edges[-1] * 1.01 and height <= 0.81 for width, height in drawn)


@pytest.mark.parametrize("seed", range(3))
def test_time_that_intervals_cover_before_a_moment(seed):
    random = np.random.default_rng(seed)
    begin = random.uniform(0, 90, 40)
    end = begin + random.uniform(0, 10, 40)
    until = np.linspace(0, 100, 7)
    by_hand = [sum(max(0.0, min(e, t) - b) for b, e in zip(begin, end, strict=True)) for t in until]
    assert plots._covered(begin, end, until) == pytest.approx(by_hand)
