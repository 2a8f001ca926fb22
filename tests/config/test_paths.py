import subprocess

import pytest
import yaml

from stagea_mpi.config.paths import given, with_variables, without_variables
from stagea_mpi.config.run_config import load_config, parse_config
from stagea_mpi.errors import ConfigError

VARIABLES = {"SCRATCH": "/scratch/me", "DIR": "a b", "EMPTY": "", "DOLLAR": "x$HOME", "HOME": "/home/me", "É": "no"}
TEXTS = (
    "$SCRATCH/out", "${SCRATCH}/out", "$SCRATCH$DIR", "${SCRATCH}x", "x/$EMPTY/y", "$DOLLAR/y", r"\$SCRATCH/y",
    r"a\$$DIR", "${UNSET:-b}/c", "${EMPTY:-$DIR}", "${DIR:-b}", "5$", "$/x", "a$.pdb", "$SCRATCH.old", "*/$DIR*.pdb",
    r"\$\${x}", "no variable", "é$SCRATCHé", "a$é",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_variables_stand_for_what_they_stand_for_in_a_shell(text):
    shell = subprocess.run(["bash", "-c", f'printf %s "{text}"'], env=VARIABLES | {"LC_ALL": "C.utf8"}, stdout=-1)
    assert with_variables(text, "key", VARIABLES) == shell.stdout.decode()


@pytest.mark.parametrize("text", [*TEXTS, r"a\\$b", r"\a$1$$", "$(x)"])
def test_a_value_as_resolved_reads_as_itself(text):
    assert with_variables(without_variables(text), "key", {}) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$NO_SUCH/out", "run_root: the variable NO_SUCH in '$NO_SUCH/out' is not set; export it"),
        ("x/${NO_SUCH}", "the variable NO_SUCH"),
        ("$(date)", r"$( in '$(date)' is not replaced here"),
        ("${A%x}", "${A%x} in"),
        ("${A", "${A in"),
        ("a$$", "$$ in"),
        ("$1", "$1 in"),
    ],
)
def test_what_cannot_be_replaced_is_refused_with_the_key_and_what_to_do(text, words):
    with pytest.raises(ConfigError) as error:
        with_variables(text, "run_root", {"A": "x"})
    assert words in str(error.value)


def _config(tmp_path, **changes):
    content = {"run_root": "$OUT/run", "pdb_root": "${IN}", "chains": {"table": "$IN/chains.csv"}} | changes
    (tmp_path / "chains.csv").write_text("model,heavy\n*,H\n", encoding="utf-8")
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_every_path_of_a_configuration_has_its_variables_replaced_and_shell_text_has_not(tmp_path):
    stage = {
        "glob": ["$SET/*.pdb", "*.cif"], "job_script": "$IN/own.sbatch", "sbatch_options": ["--chdir=$OUT"],
        "activate": "source $IN/bin/activate",
    }  # fmt: skip
    path = _config(tmp_path, stage_a=stage, after="next.sh $STAGEA_RUN_ROOT", model_path="$HOME/m")
    environment = {"OUT": "/scratch/o$t", "IN": str(tmp_path), "SET": "set_1"}
    config = load_config(path, environment)
    assert (str(config.run_root), str(config.pdb_root)) == ("/scratch/o$t/run", str(tmp_path))
    assert str(config.chains.path) == f"{tmp_path}/chains.csv"
    assert config.stage_a.glob == ("set_1/*.pdb", "*.cif")
    assert config.stage_a.job_script == f"{tmp_path}/own.sbatch"
    assert config.stage_a.sbatch_options == ("--chdir=/scratch/o$t",)
    assert config.stage_a.activate == "source $IN/bin/activate"
    assert config.after == "next.sh $STAGEA_RUN_ROOT"
    assert parse_config(yaml.safe_load(yaml.safe_dump(config.as_dict())), "run.yaml", {}) == config


@pytest.mark.parametrize("key", ["run_root", "pdb_root", "chains.table", "stage_a.glob", "stage_a.job_script"])
def test_an_unset_variable_is_an_error_that_names_its_key(key, tmp_path):
    section, _, inner = key.partition(".")
    value = "$NO_SUCH/x"
    path = _config(tmp_path, **{section: {inner: value} if inner else value})
    with pytest.raises(ConfigError, match=rf"{key}: the variable NO_SUCH in '\$NO_SUCH/x' is not set"):
        load_config(path, {"OUT": "/o", "IN": str(tmp_path)})


@pytest.mark.parametrize("value", ["$EMPTY", " "])
def test_a_path_of_which_nothing_is_left_is_refused(value, tmp_path):
    with pytest.raises(ConfigError, match="run_root: expected a path"):
        load_config(_config(tmp_path, run_root=value), VARIABLES | {"IN": str(tmp_path)})


def test_a_tilde_is_a_home_and_never_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    environment = {"IN": str(tmp_path), "DATA": "~/data"}
    assert str(load_config(_config(tmp_path, run_root="~/out"), environment).run_root) == "/home/me/out"
    assert str(load_config(_config(tmp_path, run_root="$DATA/out"), environment).run_root) == "/home/me/data/out"
    with pytest.raises(ConfigError, match="~no-such-user in '~no-such-user/out' is no user's home"):
        load_config(_config(tmp_path, run_root="~no-such-user/out"), environment)


def test_a_glob_that_becomes_absolute_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="stage_a.glob: expected a pattern relative to pdb_root"):
        load_config(_config(tmp_path, stage_a={"glob": "$IN/*.pdb"}), {"OUT": "/o", "IN": str(tmp_path)})


def test_a_path_of_the_command_line_is_replaced_where_no_file_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHERE", str(tmp_path))
    (tmp_path / "$WHERE").mkdir()
    assert given("$WHERE", "RUN_ROOT") == "$WHERE"
    assert given("$WHERE/run", "RUN_ROOT") == f"{tmp_path}/run"
    assert given("plain", "RUN_ROOT") == "plain"
