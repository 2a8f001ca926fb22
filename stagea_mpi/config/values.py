"""Values of run.yaml: what each kind may be. A check takes a value and its key, and gives the value as it is used.

All raise ConfigError, which names the key, what was found and what was expected.
"""

import math
import re
from collections.abc import Callable
from typing import Any

from ..errors import ConfigError

Check = Callable[[Any, str], Any]


def flag(value: Any, key: str) -> bool:
    if isinstance(value, str) and value.strip().lower() in ("0", "1", "true", "false", "yes", "no", "on", "off"):
        return value.strip().lower() in ("1", "true", "yes", "on")
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise ConfigError(f"{key}: expected 0 or 1, found {value!r}")


def integer(minimum: int) -> Callable[[Any, str], int]:
    def check(value: Any, key: str) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?\d+", value.strip()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise ConfigError(f"{key}: expected a whole number of at least {minimum}, found {value!r}")
        return value

    return check


def number(minimum: float, maximum: float = float("inf"), *, above: bool = False) -> Callable[[Any, str], float]:
    def check(value: Any, key: str) -> float:
        try:
            number = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if not (number > minimum if above else number >= minimum) or number > maximum:
            bound = f"{'above' if above else 'of at least'} {minimum:g}" + (
                f" and at most {maximum:g}" if maximum < 1e300 else ""
            )
            raise ConfigError(f"{key}: expected a number {bound}, found {value!r}")
        return number

    return check


def text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{key}: expected text, found {value!r}")
    return value.strip()


def optional_text(value: Any, key: str) -> str:
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{key}: expected text, found {value!r}")
    return (value or "").strip()


def word(value: Any, key: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[\w.,:+-]*", value):
        raise ConfigError(f"{key}: expected a word without blanks, found {value!r}")
    return value


def one_of(*known: str) -> Callable[[Any, str], str]:
    def check(value: Any, key: str) -> str:
        if value not in known:
            raise ConfigError(f"{key}: expected one of {', '.join(known)}, found {value!r}")
        return value

    return check


def sbatch_options(value: Any, key: str) -> tuple[str, ...]:
    options = value if isinstance(value, list) else [value] if value else []
    for option in options:
        if not isinstance(option, str) or not re.fullmatch(r"--[a-z][a-z-]+(=\S.*)?", option):
            raise ConfigError(
                f"{key}: expected a list of sbatch's long options such as --account=NAME, found {option!r}"
            )
    return tuple(options)


def time_limit(value: Any, key: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):  # YAML 1.1 reads 01:00:00 without quotes as a number
        value = f"{value // 3600:02d}:{value // 60 % 60:02d}:{value % 60:02d}"
    if not isinstance(value, str) or not re.fullmatch(r"(\d+-)?\d+(:\d{1,2}){0,2}", value):
        raise ConfigError(f"{key}: expected Slurm's HH:MM:SS or D-HH:MM:SS, found {value!r}")
    return value


def time_limit_seconds(text: str) -> float:
    """Seconds of Slurm's HH:MM:SS, D-HH[:MM[:SS]], MM:SS or minutes; NaN where there is none."""
    if not text:
        return math.nan
    days, _, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if days:
        parts += [0] * (3 - len(parts))
    units = {1: (60,), 2: (60, 1), 3: (3600, 60, 1)}[len(parts)]
    return int(days or 0) * 86400.0 + sum(part * unit for part, unit in zip(parts, units, strict=True))


def patterns(value: Any, key: str) -> tuple[str, ...]:
    patterns = [] if value is None else value if isinstance(value, list) else [value]
    for pattern in patterns:
        if not isinstance(pattern, str) or not pattern or pattern.startswith("/"):
            raise ConfigError(f"{key}: expected a pattern relative to pdb_root or a list of them, found {value!r}")
    return tuple(patterns)


def team(value: Any, key: str) -> str | int:
    if value in ("auto", "node", "world"):
        return value
    try:
        return integer(1)(value, key)
    except ConfigError as error:
        raise ConfigError(f"{key}: expected auto, node, world or a number of ranks, found {value!r}") from error


def duration(seconds: float) -> str:
    """A time as a person reads it.

    >>> [duration(s) for s in (0.0527, 3.42, 6.0, 59.4, 130, 3900, 3600 * 76)]
    ['0.053 s', '3.4 s', '6 s', '59 s', '2 min 10 s', '1 h 05 min', '3 d 4 h']
    """
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if seconds < 3570:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
