r"""Paths as people write them: variables and ``~`` stand for what they stand for in a shell.

``$NAME`` and ``${NAME}`` are replaced, ``${NAME:-default}`` gives the default where the variable is unset or empty; a
value is not looked at again. A dollar sign before anything that cannot begin a name stays as it is, and so does one
behind a backslash (the backslash goes). What a shell would run or count (``$(…)``, ``$$``, ``$1``) is refused.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError

#: A dollar sign that stands for itself; or one with what a shell would take with it. Backslashes before it in pairs.
_DOLLAR = re.compile(
    r"(?P<before_escaped>(?:\\\\)*)\\\$"
    r"|(?P<before>(?:\\\\)*)\$(?:\{(?P<braced>[A-Za-z_]\w*)(?::-(?P<default>[^{}]*))?\}|(?P<bare>[A-Za-z_]\w*)"
    r"|(?P<strange>\{[^}]*\}?|\(|[0-9$!?@#*-]))?",
    re.ASCII,
)


def with_variables(text: str, key: str, environment: Mapping[str, str]) -> str:
    r"""A value with its variables replaced.

    Parameters
    ----------
    text : str
    key : str
        Names the value in messages.
    environment : mapping

    Raises
    ------
    ConfigError
        A variable is unset, or what follows a dollar sign is nothing that is replaced here.

    >>> with_variables(r"$A/${B:-b}/\$A/5$", "run_root", {"A": "a"})
    'a/b/$A/5$'
    """

    def value(match: re.Match) -> str:
        if match["before_escaped"] is not None:
            return match["before_escaped"][::2] + "$"
        if match["strange"]:
            raise ConfigError(
                f"{key}: ${match['strange']} in {text!r} is not replaced here, only $NAME, ${{NAME}} and "
                "${NAME:-default} are; write the value itself, or \\$ for a dollar sign"
            )
        name = match["bare"] or match["braced"]
        found = "$" if name is None else environment.get(name)
        if match["default"] is not None:
            found = found or with_variables(match["default"], key, environment)
        if found is None:
            raise ConfigError(
                f"{key}: the variable {name} in {text!r} is not set; export it, write the path itself, or \\$ for a "
                "dollar sign"
            )
        return match["before"][::2] + found

    return _DOLLAR.sub(value, text) if "$" in text else text


def without_variables(text: str) -> str:
    r"""A text that `with_variables` turns into this one.

    >>> without_variables("a$b")
    'a\\$b'
    """
    return re.sub(r"(\\*)\$", lambda match: f"{match[1] * 2}\\$", text)


def expanded(text: str, key: str, environment: Mapping[str, str] | None = None) -> Path:
    """A path with its variables and its ``~`` replaced, absolute.

    Raises
    ------
    ConfigError
        As `with_variables`; or nothing is left of the path, or ``~name`` is no user's home.
    """
    environment = os.environ if environment is None else environment
    path = os.path.expanduser(with_variables(text, key, environment))
    if not path.strip():
        raise ConfigError(f"{key}: expected a path, found {text!r}, which stands for {path!r}")
    if path.startswith("~"):
        user = path.split("/", 1)[0]
        raise ConfigError(f"{key}: {user} in {text!r} is no user's home; write ./{user} for a folder of that name")
    return Path(os.path.abspath(path))


def given(path: str | Path, key: str) -> str:
    """A path from a command line or a notebook: itself where it exists, or where nothing in it is to be replaced.

    A shell has replaced already what it could, so a name that exists is meant as it stands.
    """
    try:
        text = os.fspath(path)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise ConfigError(f"{key}: expected a path, found {path!r}")
    path = text
    if os.path.lexists(path) or not ("$" in path or path.startswith("~")):
        return path
    return str(expanded(path, key))
