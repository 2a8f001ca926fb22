"""What `plan` says before anything runs."""

import dataclasses
import re

import pytest

from stagea_mpi.inputs import ModelRef
from stagea_mpi.pipeline import build_shard, plan
from stagea_mpi.pipeline.disk import DiskNeed
from stagea_mpi.pipeline.inventory import ModelEntry
from stagea_mpi.pipeline.plan import describe_plan, plan_facts, plan_notes, plan_run
from stagea_mpi.pipeline.sample import N_SAMPLES, Sample, new_sequences
from stagea_mpi.pipeline.simulation import StageCosts
from stagea_mpi.rundir.folders import RunFolder
from stagea_mpi.slurm.submit import plan_jobs

#: 2 s a file, which holds one model, and nothing else that takes time.
TWO_SECONDS = Sample(3, 3, 0, StageCosts(model_s=(2.0,)), 0.0, 100.0, [], [])


@pytest.fixture
def described(poses, config_for, monkeypatch):
    """The lines of a plan for the six poses, by their first word, without computing any."""

    def describe(sample: Sample = TWO_SECONDS, **stage_a) -> dict[str, str]:
        monkeypatch.setattr(plan, "take_sample", lambda config, shard_plan: sample)
        config = config_for(poses, **stage_a)
        lines = describe_plan(plan_run(config), config, "my run.yaml").splitlines()
        return {line.split()[0]: line.partition(" ")[2].strip() for line in lines}

    return describe


RUN = "python -m stagea_mpi run 'my run.yaml'"


@pytest.mark.parametrize(
    ("stage_a", "expected"),
    [
        ({"cores": 4}, f"srun --mpi=pmix --ntasks=4 --cpus-per-task=1 --cpu-bind=cores {RUN}"),
        ({"cores": 4, "srun_mpi": "pmi2"}, f"srun --mpi=pmi2 --ntasks=4 --cpus-per-task=1 --cpu-bind=cores {RUN}"),
        ({"cores": 4, "srun_mpi": ""}, f"srun --ntasks=4 --cpus-per-task=1 --cpu-bind=cores {RUN}"),
        (
            {"cores": 4, "cores_per_rank": 2, "srun_cpu_bind": "none"},
            f"srun --mpi=pmix --ntasks=2 --cpus-per-task=2 --cpu-bind=none {RUN}",
        ),
        (
            {"nodes": 2, "ranks_per_node": 2},
            f"srun --nodes=2 --mpi=pmix --ntasks=4 --cpus-per-task=1 --cpu-bind=cores {RUN}",
        ),
    ],
)
def test_the_line_to_copy_is_that_of_the_configuration(described, stage_a, expected):
    assert described(**stage_a)["srun"] == expected


def test_where_the_job_script_takes_mpiexec_so_does_the_line_to_copy(described):
    assert described(use_srun_bind=False, cores=4)["mpiexec"] == f"mpiexec -n 4 --bind-to none {RUN}"


def test_no_more_ranks_than_models_are_suggested_however_many_a_file_holds(described):
    assert "--ntasks=6 " in described(cores=32)["srun"]
    ensembles = dataclasses.replace(TWO_SECONDS, n_models=30)  # ten in each of three files
    assert "--ntasks=32 " in described(ensembles, cores=32)["srun"]


def test_time_is_that_of_the_jobs_that_are_asked_for(described, poses, config_for):
    shards = {"max_per_shard": 2, "min_per_shard": 1, "cores": 2}
    assert described(job_form="single", **shards)["time"] == "12 s on one rank, 6 s on 2 ranks (asked for: 01:00:00)"
    # Teams of one rank: of three shards one does two.
    alone = described(job_form="single", team="auto", **shards)
    assert alone["time"] == "12 s on one rank, 8 s on 2 ranks (asked for: 01:00:00)"
    # Several nodes share a file system, and wait a little for it.
    assert described(**shards)["time"] == "12 s on one rank, 2.1 s in 3 jobs of 2 ranks (asked for: 01:00:00)"
    (job,) = plan_jobs(RunFolder(poses), config_for(poses, **shards), 3)
    assert job.n_tasks == 3
    assert "#SBATCH --ntasks-per-node=2\n" in job.text


@pytest.mark.parametrize(
    ("stage_a", "expected"),
    [
        ({}, "about 1.3 MB: a model takes 11.0 kB in packed.h5, 200.0 kB in graphs.h5"),
        (
            {"write_graphs": False},
            "about 80.0 kB: a model takes 11.0 kB in packed.h5, 200.0 kB in graphs.h5 once it is exported "
            "(write_graphs: 0), which is not counted",
        ),
    ],
)
def test_disk_is_that_of_the_files_that_are_written(described, stage_a, expected):
    """Of six models in one shard: 14 kB + 6 · 11 kB = 80 kB in packed.h5, 6 · 200 kB in graphs.h5."""
    cost = dataclasses.replace(TWO_SECONDS, disk=DiskNeed(14e3, 11e3, 200e3))
    assert described(cost, **stage_a)["disk"] == expected


def test_memory_is_that_of_a_nodes_ranks(described):
    alone, both = described(ranks_per_node=2)["memory"], described(ranks_per_node=2, nodes=2)["memory"]
    assert alone == "200 MB a rank, 0.4 GB for 2 ranks (asked for: 64 GB)"
    assert both == "200 MB a rank, 0.4 GB for 2 ranks of a node (asked for: 64 GB)"


@pytest.mark.parametrize(
    ("stage_a", "note"),
    [
        ({"mem_gb": 0.25, "ranks_per_node": 2}, "stage_a.mem_gb: 0.25 GB is too little; set it to 1"),
        ({"sbatch_options": ("--mem=300",), "ranks_per_node": 2}, "stage_a.sbatch_options: --mem: 300 is too little; "),
        ({"time": "00:02:05", "cores": 1}, "stage_a.time: 00:02:05 is too little for 12 s, with signal_ahead_s = 120"),
        (
            {"time": "1", "sbatch_options": ("--time=00:02:05",), "cores": 1},
            "stage_a.sbatch_options: --time: 00:02:05 is too",
        ),
    ],
)
def test_less_than_it_takes_is_noted(described, stage_a, note):
    assert described(**stage_a)["note"].startswith(note)


@pytest.mark.parametrize(
    "stage_a",
    [
        {"mem_gb": 0.5, "ranks_per_node": 2},
        {"mem_gb": 0.1, "sbatch_options": ("--mem=1G",), "ranks_per_node": 2},
        {"time": "00:02:13", "cores": 1},
        {"time": "00:00:05", "sbatch_options": ("--time=UNLIMITED",)},
    ],
)
def test_enough_is_not_noted(described, stage_a):
    assert "note" not in described(**stage_a)


def test_facts_for_scripts_are_numbers_in_the_units_of_their_names(poses, config_for, monkeypatch):
    """Six models of 2 s: 12 s on one rank, 6 s on two; 2 · 200 MB of a node, in GB; 1 h and 64 GB are asked for."""
    cost = dataclasses.replace(TWO_SECONDS, disk=DiskNeed(14e3, 11e3, 200e3))
    monkeypatch.setattr(plan, "take_sample", lambda config, shard_plan: cost)
    config = config_for(poses, job_form="single", max_per_shard=2, min_per_shard=1, cores=2)
    facts = plan_facts(plan_run(config), config, "run.yaml")
    assert facts["input_bytes"] == sum(path.stat().st_size for path in poses.iterdir())
    counts = ("input_files", "models", "shards", "jobs", "nodes_a_job", "ranks_a_job", "ranks_a_node")
    assert [facts[key] for key in counts] == [6, 6, 3, 1, 1, 2, 2]
    assert (facts["model_s"], facts["one_rank_s"], facts["all_ranks_s"]) == (2.0, 12.0, 6.0)
    assert (facts["memory_a_rank_mb"], facts["memory_a_node_gb"]) == (200.0, pytest.approx(400 / 1024, abs=1e-3))
    assert facts["disk_bytes"] == 3 * 14e3 + 6 * 211e3
    assert (facts["asked_time_s"], facts["asked_memory_gb"]) == (3600, 64)
    assert facts["command"] == "srun --mpi=pmix --ntasks=2 --cpus-per-task=1 --cpu-bind=cores " + RUN.replace(
        "'my run.yaml'", "run.yaml"
    )


def test_text_and_facts_have_the_same_notes(poses, config_for, monkeypatch):
    cost = dataclasses.replace(TWO_SECONDS, failures=["it is broken"], notes=["pose_1: looks odd"])
    monkeypatch.setattr(plan, "take_sample", lambda config, shard_plan: cost)
    config = config_for(poses, mem_gb=0.25, time="00:02:01", ranks_per_node=6, max_per_shard=6, team=1)
    planned = plan_run(config)
    notes = plan_notes(planned, config)
    lines = describe_plan(planned, config, "run.yaml").splitlines()
    assert len(notes) == 5
    assert [line.removeprefix("note     ") for line in lines if line.startswith("note")] == notes
    assert plan_facts(planned, config, "run.yaml")["notes"] == notes


def test_models_above_the_limit_are_not_computed_and_not_counted_as_if(poses, config_for, monkeypatch):
    built = []
    monkeypatch.setattr(build_shard, "compute_model", lambda *arguments: built.append(arguments))
    config = config_for(poses, model_max_atoms=1000)
    text = describe_plan(plan_run(config), config, "run.yaml")
    assert built == []
    atoms = {int(number) for number in re.findall(r"one fails: it has (\d+) atoms, more than model_max_atoms", text)}
    assert len(atoms) == 1  # of one complex
    assert text.count("one fails: ") == N_SAMPLES


def test_more_ranks_than_are_of_use_are_noted(described):
    shards = {"job_form": "single", "max_per_shard": 3, "min_per_shard": 1, "team": 1}
    told = described(ranks_per_node=6, **shards)
    assert told["useful"] == (
        "up to 2 ranks; twice as many gain less than 10 %: 2 shards are too few for more; make max_per_shard smaller"
    )
    assert told["note"] == "6 ranks are asked for, more than the 2 that are of use"
    assert "note" not in described(ranks_per_node=2, **shards)


def test_no_more_ranks_than_models_are_of_use(described):
    told = described(job_form="single", max_per_shard=1, min_per_shard=1, ranks_per_node=6, team="auto")
    assert told["useful"] == "up to 6 ranks; twice as many gain less than 10 %: there are no more models"


def entry_of(*sequences: str) -> ModelEntry:
    return ModelEntry(ModelRef("", ""), heavy=sequences[0], light=sequences[1], antigen=sequences[2:])


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([("H", "L", "A")], 0.0),
        ([("H", "L", "A")] * 3, 0.0),  # poses
        ([("H1", "", "A"), ("H2", "", "A"), ("H3", "", "A")], 1.0),  # designs of a nanobody
        ([("H1", "L1", "A"), ("H2", "L2", "A"), ("H2", "L3", "A")], 1.5),
        ([], 0.0),
    ],
)
def test_new_sequences_are_those_that_no_model_before_had(entries, expected):
    assert new_sequences([entry_of(*sequences) for sequences in entries]) == expected
