from pathlib import Path

import pytest
import yaml

from stagea_mpi.antibody.complexes import Chains
from stagea_mpi.config.run_config import RunConfig, StageA, load_config, parse_config
from stagea_mpi.config.settings import documented, variables_of
from stagea_mpi.errors import ConfigError

MINIMAL = {"run_root": "out", "pdb_root": "in", "chains": {"heavy": "H", "light": "L", "antigen": "A"}}


def parsed(environment=None, warn=lambda message: None, **changes):
    return parse_config({**MINIMAL, **changes}, "run.yaml", environment or {}, warn)


def test_defaults_are_those_of_existing_pipelines():
    stage_a = parsed().stage_a
    assert (stage_a.partition, stage_a.cores, stage_a.mem_gb, stage_a.time) == ("norm", 32, 64, "01:00:00")
    assert (stage_a.target_shard_gb, stage_a.min_per_shard, stage_a.max_per_shard) == (0.1, 10, 100)
    assert (stage_a.glob, stage_a.layout) == ((), "auto")
    assert (stage_a.graph_result_queue_maxsize, stage_a.graph_writer_log_every_s) == (100, 30)
    assert (stage_a.max_failed_fraction, stage_a.model_timeout_s, stage_a.team) == (0.1, 300, "auto")
    assert stage_a.write_graphs is True
    assert parsed(stage_a={"write_graphs": 0}).stage_a.write_graphs is False
    assert parsed().max_concurrent_a == 20


def test_a_light_chain_may_be_a_dash_and_the_antigen_a_list():
    assert parsed(chains={"heavy": "N", "light": "-", "antigen": ["A", "B"]}).chains == Chains("N", None, ("A", "B"))
    assert parsed(chains={"heavy": "N", "light": "none", "antigen": "A, B"}).chains == Chains("N", None, ("A", "B"))


def test_keys_of_later_stages_are_carried_and_not_judged():
    config = parsed(stage_b={"anything": [1, 2]}, model_path="x", deeprank_root="y")
    assert config.as_dict()["stage_b"] == {"anything": [1, 2]}
    assert config.as_dict()["model_path"] == "x"


def test_the_resolved_configuration_reads_as_itself():
    config = parsed(stage_a={"cores": 4, "glob": ["*.pdb", "*.cif"], "team": 2})
    again = parse_config(yaml.safe_load(yaml.safe_dump(config.as_dict())), "run.yaml", {})
    assert again == config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stage_a": {"graph_result_queue_maxsise": 5}}, "did you mean stage_a.graph_result_queue_maxsize"),
        ({"run_rot": "x"}, "did you mean run_root"),
        ({"chains": {"heavy": "H", "ligth": "L", "antigen": "A"}}, "did you mean chains.light"),
        ({"run_root": None}, "run_root is missing"),
        ({"chains": {"heavy": "H", "antigen": None}}, "chains.antigen"),
        ({"chains": {"heavy": "H", "light": "A", "antigen": "A"}}, "A is named 2 times"),
        ({"stage_a": {"cores": 0}}, "stage_a.cores: expected a whole number of at least 1, found 0"),
        ({"stage_a": {"cores": "many"}}, "found 'many'"),
        ({"stage_a": {"max_failed_fraction": 1.5}}, "at most 1, found 1.5"),
        ({"stage_a": {"model_timeout_s": float("nan")}}, "stage_a.model_timeout_s"),
        ({"stage_a": {"team": "rack"}}, "expected auto, node, world or a number of ranks"),
        ({"stage_a": {"split_mode": 2}}, "expected 0 or 1, found 2"),
        ({"stage_a": {"time": "soon"}}, "HH:MM:SS"),
        ({"stage_a": {"glob": "/etc/*"}}, "relative to pdb_root"),
        ({"stage_a": [1]}, "stage_a: expected keys"),
    ],
)
def test_a_message_names_the_key_and_what_was_found(changes, words):
    with pytest.raises(ConfigError) as error:
        parsed(**changes)
    assert words in str(error.value)
    assert str(error.value).startswith("run.yaml")


def test_the_environment_overrides_the_file():
    environment = {
        "STAGEA_PHASE": "prep_graphs",
        "STAGEA_SPLIT_MODE": "1",
        "STAGEA_STRICT_AFFINITY": "1",
        "STAGEA_USE_SRUN_BIND": "0",
        "STAGEA_SRUN_CPU_BIND": "sockets",
        "GRAPH_PIPELINE_TELEMETRY": "1",
        "GRAPH_RESULT_QUEUE_MAXSIZE": "7",
        "GRAPH_WRITER_LOG_EVERY_S": "1.5",
        "ANARCI_PARALLEL_BATCHES": "3",
        "COLLECT_COMPUTE_METRICS": "0",
        "COMPUTE_METRICS_INTERVAL": "9",
    }
    config = parsed(environment)
    assert config.phase == "prep_graphs"
    assert config.collect_metrics is False
    assert config.metrics_interval == 9
    expected = {
        "split_mode": True, "strict_affinity": True, "use_srun_bind": False, "srun_cpu_bind": "sockets",
        "graph_pipeline_telemetry": True, "graph_result_queue_maxsize": 7, "graph_writer_log_every_s": 1.5,
        "anarci_parallel_batches": 3,
    }  # fmt: skip
    assert {key: getattr(config.stage_a, key) for key in expected} == expected


def test_a_variable_that_does_not_parse_is_told_and_the_files_value_stands():
    told = []
    config = parsed({"GRAPH_RESULT_QUEUE_MAXSIZE": "lots"}, told.append, stage_a={"graph_result_queue_maxsize": 5})
    assert config.stage_a.graph_result_queue_maxsize == 5
    assert len(told) == 1
    assert "GRAPH_RESULT_QUEUE_MAXSIZE" in told[0]


def test_a_time_without_quotes_is_read_as_yaml_reads_it(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(MINIMAL) + "stage_a: {time: 01:30:00}\n")
    assert load_config(path, {}).stage_a.time == "01:30:00"


@pytest.mark.parametrize(
    ("text", "words"), [("a: [", "not valid YAML"), ("- 1", "expected keys"), ("", "expected keys")]
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, text, words):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_config(path, {})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="absent.yaml: cannot be read"):
        load_config(tmp_path / "absent.yaml", {})


def test_stage_a_has_every_key_of_the_files_that_pipelines_use():
    keys = (
        "partition cores mem_gb time target_shard_gb min_per_shard max_per_shard glob split_mode strict_affinity "
        "use_srun_bind srun_cpu_bind graph_pipeline_telemetry graph_result_queue_maxsize graph_writer_log_every_s "
        "anarci_parallel_batches max_failed_fraction model_timeout_s team"
    ).split()
    assert set(keys) <= set(StageA.__dataclass_fields__)


def test_every_key_is_documented_as_it_is_declared():
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    for section in (RunConfig, StageA):
        assert documented(section) in text, "put in what `python -m stagea_mpi.config` prints"
    keys = [key for key in parsed().as_dict() if key != "stage_a"]
    assert [key for key in keys if f"| `{key}` |" not in text] == []


def test_every_variable_that_overrides_a_key_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    found = {**variables_of(RunConfig), **variables_of(StageA)}
    assert len(found) == 10
    assert [name for name in found if f"`{name}`" not in text] == []
