"""One thing of a machine that was looked at, and how all of them are told."""

from dataclasses import dataclass

#: What brings all that a run can need.
SETUP = "`make env` on Debian, elsewhere conda with environment.yml, whose first line says how"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
    ok : bool or None
        None where it does not apply here.
    found : str
        What there is, in one line.
    advice : str
        What to do about it; empty where nothing is to be done.
    """

    name: str
    ok: bool | None
    found: str
    advice: str = ""


def facts_of(checks: list[Check]) -> list[dict[str, str]]:
    """The checks for programs, as docs/json.md lists them."""
    words = {True: "ok", False: "problem", None: "not applicable"}
    return [
        {"name": check.name, "state": words[check.ok], "found": check.found, "advice": check.advice} for check in checks
    ]


def table(checks: list[Check]) -> str:
    """The checks as aligned lines, each advice under its check."""
    words = {True: "ok", False: "PROBLEM", None: "-"}
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.name:<{width}}  {words[check.ok]:<7}  {check.found}")
        if check.advice:
            lines.append(f"{'':<{width}}           -> {check.advice}")
    problems = sum(check.ok is False for check in checks)
    return "\n".join([*lines, "", f"{problems} of {len(checks)} checks found a problem" if problems else "all is well"])


def one_line(error: BaseException) -> str:
    """An error as something found."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
