"""Job scripts: the ones in jobs/, with the lines filled in that a configuration decides."""

import os
import re
import shlex
import sys
from pathlib import Path

from ..config.shipped import shipped_file
from ..errors import ConfigError


def read_script(name: str, own: str = "") -> str:
    """A job script's text: the user's own, or the shipped one.

    Parameters
    ----------
    name : str
        File name in jobs/.
    own : str
        `stage_a.job_script`; empty for the shipped script.
    """
    try:
        path = Path(os.path.expanduser(own)) if own else shipped_file("jobs", name)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: the job script cannot be read: {error.strerror}; set stage_a.job_script to your copy "
            f"of jobs/{name}"
        ) from error


def fill(text: str, name: str, header: dict[str, str | None], settings: dict[str, str], environment: str) -> str:
    """A job script with its #SBATCH lines, its settings and its environment filled in.

    Parameters
    ----------
    text : str
        The script. Lines that are not named here stay as they are, so a user's own script keeps its changes.
    name : str
        What to call the script in errors.
    header : dict
        sbatch's long options and their values, None for an option without one. Options that the script lacks
        are added below those that it has.
    settings : dict
        Shell variables of the block between ``# >>> settings`` and ``# <<< settings`` and their values as shell words.
    environment : str
        Lines for the block between ``# >>> environment`` and ``# <<< environment``; empty to keep what is there.
    """
    text = _fill_header(text, name, header)
    before, block, after = _split_block(text, name, "settings")
    for variable, value in settings.items():
        line = f"{variable}={value}".replace("\\", r"\\")  # re would take a backslash for the start of a group's number
        block, found = re.subn(rf"(?m)^{variable}=.*$", line, block)
        if found != 1:
            raise ConfigError(
                f"{name}: expected one line {variable}=… among its settings, found {found}; see jobs/{name}"
            )
    text = before + block + after
    if environment:
        before, _, after = _split_block(text, name, "environment")
        text = before + environment.rstrip("\n") + "\n" + after
    return text


def _fill_header(text: str, name: str, header: dict[str, str | None]) -> str:
    lines = text.splitlines(keepends=True)
    at = {}
    for i, line in enumerate(lines):
        if match := re.match(r"#SBATCH\s+(--[a-z-]+)", line):
            at[match[1]] = i
    if not at:
        raise ConfigError(f"{name}: has no #SBATCH line with a long option to fill in; see jobs/{name}")
    last = max(at.values())
    for option, value in header.items():
        line = f"#SBATCH {option}\n" if value is None else f"#SBATCH {option}={_quoted(value)}\n"
        if option in at:
            lines[at[option]] = line
        else:
            lines[last] += line
    return "".join(lines)


def _split_block(text: str, name: str, block: str) -> tuple[str, str, str]:
    """Text up to a block's first line and with it, the block, the rest."""
    match = re.search(rf"(?ms)^# >>> {block}[^\n]*\n(.*?)^# <<< {block}", text)
    if match is None:
        raise ConfigError(f"{name}: the lines `# >>> {block}` and `# <<< {block}` are missing; see jobs/{name}")
    return text[: match.start(1)], match[1], text[match.end(1) :]


def _quoted(value: str) -> str:
    """A value as sbatch reads it in a script: in double quotes where it has blanks."""
    return f'"{value}"' if re.search(r"\s", value) else value


def log_pattern(folder: Path, pattern: str) -> str:
    """A path for --output: percent signs of the folder are no placeholders."""
    return f"{str(folder).replace('%', '%%')}/{pattern}"


def activation(stated: str) -> str:
    """Shell lines that make this installation available on a node.

    Parameters
    ----------
    stated : str
        `stage_a.activate`; where it is empty, the environment of the running interpreter.
    """
    if stated:
        return stated
    prefix = Path(sys.prefix)
    if (prefix / "conda-meta").is_dir():
        conda = os.environ.get("CONDA_EXE", "conda")
        base = f'"$({shlex.quote(conda)} info --base)/etc/profile.d/conda.sh"'
        return f"source {base} && conda activate {shlex.quote(str(prefix))}"
    if (prefix / "bin" / "activate").is_file():
        return f"source {shlex.quote(str(prefix / 'bin' / 'activate'))}"
    return f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"
