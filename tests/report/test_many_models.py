"""A run of 2,000 models, made by repeating the events of a real one."""

import json
import shutil

from stagea_mpi.report import load, measures
from stagea_mpi.report.report import write_report

MODELS = 2000


def test_two_thousand_models_are_loaded_and_drawn_in_a_report_that_a_browser_takes(run_copy, tmp_path):
    shutil.rmtree(run_copy / "shards" / "shard_000001")
    for path in (run_copy / "telemetry").glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        steps = [line for line in lines if "model" in line]
        span = max(line["start"] + line["seconds"] for line in steps) - min(line["start"] for line in steps)
        with open(path, "a") as file:
            for turn in range(1, MODELS // 7 + 1):
                for line in steps:
                    again = line | {"start": line["start"] + turn * span, "model": f"{line['model']}_{turn}"}
                    file.write(json.dumps(again) + "\n")
    run = load(run_copy)
    assert len(run.models) >= MODELS
    assert measures.completions(run)["done"].iloc[-1] >= MODELS
    path = write_report(run_copy, tmp_path / "report.html")
    assert path.stat().st_size < 15e6
