"""The report's tables: what ran, where and how, and what more of it would take."""

import datetime
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from ..config.values import duration
from . import measures
from .figures import Missing
from .plots import NO_EVENTS
from .tables import Telemetry

#: Rows of failed models that the report lists.
_MOST_FAILURES = 50


def configuration(run: Telemetry) -> Styler | Missing:
    """The settings of the run as resolved, in two columns."""
    if not run.config:
        return Missing("The run has no run.yaml, so its settings are not known.")
    settings = {key: value for key, value in run.config.items() if key not in ("stage_a", "versions")}
    settings |= {f"stage_a.{key}": value for key, value in run.config.get("stage_a", {}).items()}
    rows = [(key, _text(value)) for key, value in settings.items()]
    half = (len(rows) + 1) // 2
    rows += [("", "")] * (2 * half - len(rows))
    table = pd.DataFrame([(*left, *right) for left, right in zip(rows[:half], rows[half:], strict=True)])
    return _shown(table).hide(axis="columns")


def versions(run: Telemetry) -> Styler | Missing:
    """Versions of everything that computes."""
    found = run.config.get("versions") or {}
    if not found:
        return Missing("The run has noted no versions.")
    return _shown(pd.DataFrame([found]))


def starts(run: Telemetry) -> Styler | Missing:
    """Each start of the program: job, nodes, ranks, when, how it ended."""
    table = measures.launches(run)
    if table.empty:
        return Missing(NO_EVENTS.replace("so this cannot be drawn", "so jobs, hosts and ranks are not known"))
    nodes = run.ranks.groupby("launch")["node"].agg(lambda names: ", ".join(dict.fromkeys(names)))
    shown = pd.DataFrame(
        {
            "start": range(1, len(table) + 1),
            "job": [
                f"{job}_{task}" if job != "local" else job
                for job, task in zip(table["job"], table["task"], strict=True)
            ],
            "phase": table["phase"],
            "hosts": table["launch"].map(nodes),
            "ranks": table["ranks"],
            "teams": table["teams"],
            "began": table["started"].map(_clock),
            "took": table["wall_s"].map(duration),
            "models": table["models"],
            "end": table["outcome"],
        }
    )
    return _shown(shown)


def shards(run: Telemetry) -> Styler | Missing:
    """How many shards are in which state, and their models."""
    if run.shards.empty:
        return Missing("The run has not been split into shards.")
    table = run.shards.groupby("state", as_index=False).agg(
        shards=("shard", "size"), inputs=("n_inputs", "sum"), models=("n_models", "sum"), failed=("n_fail", "sum")
    )
    return _shown(table.astype({"models": int, "failed": int}))


def failed_models(run: Telemetry) -> Styler | Missing:
    """The models that failed, with reason and message; of many the first."""
    if run.failures.empty:
        return Missing("No model failed.")
    table = run.failures.head(_MOST_FAILURES)[["model", "reason", "stage", "message", "source"]].fillna("")
    shown = _shown(table)
    rest = len(run.failures) - len(table)
    return shown.set_caption(f"and {rest} more in shards/*/failures.tsv") if rest > 0 else shown


def predicted(run: Telemetry) -> Styler | Missing:
    """Wall time for as many, ten and a hundred times the models, on as many ranks as here."""
    table = measures.prediction(run)
    if table.empty:
        return Missing("No model was computed while events were noted, so nothing can be predicted.")
    shown = pd.DataFrame(
        {
            "times": table["factor"],
            "models": table["models"],
            "ranks": table["ranks"],
            "wall time": table["wall_s"].map(duration),
            "core hours": table["core_h"].map("{:.3g}".format),
        }
    )
    return _shown(shown)


def _shown(table: pd.DataFrame) -> Styler:
    return table.style.hide(axis="index").format(escape="html", precision=3, na_rep="")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(item)}" for key, item in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _clock(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
