"""docs/json.md lists what commands print for scripts: these keys, of these kinds, and no others."""

import json
import re
from typing import Any

import pytest
from launching import ROOT

from stagea_mpi.cli import main
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.slurm.status import STATES
from stagea_mpi.slurm.submissions import Submissions

#: The tables, in their order.
PLAN, STATUS, TOTAL, SHARD, CHECK = range(5)

KINDS = {
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) in (int, float),
    "text": lambda value: type(value) is str,
    "truth": lambda value: type(value) is bool,
    "object": lambda value: type(value) is dict,
    "null": lambda value: value is None,
    "list of text": lambda value: type(value) is list and all(type(item) is str for item in value),
    "list of object": lambda value: type(value) is list and all(type(item) is dict for item in value),
}


def documented(table: int) -> dict[str, str]:
    """Keys and their kinds, as a table has them."""
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    rows = text.split("|---|---|---|\n")[table + 1].split("\n\n")[0].splitlines()
    cells = [row.split(" | ") for row in rows]
    return {key: kind for names, kind, *_ in cells for key in re.findall(r"`(\w+)`", names)}


def assert_documented(printed: dict[str, Any], table: int) -> None:
    kinds = documented(table)
    assert set(printed) == set(kinds)
    wrong = {
        key: value for key, value in printed.items() if not any(KINDS[kind](value) for kind in kinds[key].split(" or "))
    }
    assert not wrong


@pytest.fixture
def printed(capsys):
    """What a command prints, without infinity and the like, which other languages' JSON has not."""

    def call(*arguments: str) -> Any:
        assert main([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)

    return call


@pytest.mark.parametrize("stage_a", [{}, {"sbatch_options": '["--time=UNLIMITED", "--mem=0"]', "write_graphs": 0}])
def test_plan_prints_what_is_documented(printed, run_yaml, poses, stage_a):
    assert_documented(printed("plan", str(run_yaml(poses, **stage_a))), PLAN)


def test_plan_says_null_where_no_model_has_a_graph(printed, run_yaml, poses):
    plan = printed("plan", str(run_yaml(poses, model_max_atoms=1000)))
    assert_documented(plan, PLAN)
    assert plan["disk_bytes"] is plan["packed_bytes_a_model"] is plan["graphs_bytes_a_model"] is None


def test_status_prints_what_is_documented(printed, two_rank_run, interrupted_run):
    finished, interrupted = printed("status", str(two_rank_run)), printed("status", str(interrupted_run))
    assert {shard["state"] for shard in finished["shards"]} == {"done"}
    assert "done" in interrupted["total"]["shards"]
    for status in (finished, interrupted):
        assert_documented(status, STATUS)
        assert_documented(status["total"], TOTAL)
        for shard in status["shards"]:
            assert_documented(shard, SHARD)


def test_the_documented_keys_of_a_job_are_those_that_submit_records(run_copy):
    submissions = Submissions(RunFolder(run_copy))
    submissions.begin()
    submissions.add("full", "7", 0, ["sbatch"], run_copy / "jobs" / "full.sbatch")
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith("| `jobs` | list of object"))
    assert re.findall(r"`(\w+)`", row.split(" | ")[2])[1:] == list(submissions.latest[0])


def test_the_documented_states_of_a_shard_are_all_that_there_are():
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith("| `state` | text | `waiting`"))
    assert tuple(re.findall(r"`([\w ]+)`", row))[1:] == STATES


def test_doctor_prints_what_is_documented(printed):
    checks = printed("doctor")
    assert "MPI's folders" in [check["name"] for check in checks]
    for check in checks:
        assert_documented(check, CHECK)
