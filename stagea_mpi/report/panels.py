"""The report's panels in their order: what notebooks/03_telemetry_report.ipynb shows, and so the page of the report."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import StageAError
from . import node_plots, overview, plots, scores
from .notes import notes
from .tables import Telemetry


@dataclass(frozen=True)
class Panel:
    """One thing that the report shows.

    Attributes
    ----------
    section : str
        The heading above it; panels of one section follow each other.
    show : callable
        From the run's tables a figure, a table or sentences: what shows itself in a notebook. A `figures.Missing` where
        nothing was noted of it.
    text : str
        What is said before it.
    """

    section: str
    show: Callable[[Telemetry], Any]
    text: str = ""

    @property
    def name(self) -> str:
        return self.show.__name__


#: All panels. A new one is an entry here.
PANELS = (
    Panel("What ran", overview.starts),
    Panel("What ran", overview.shards),
    Panel("What ran", overview.versions),
    Panel("What ran", overview.configuration),
    Panel("Notes", notes),
    Panel("What each rank did when", plots.rank_timeline),
    Panel("Where the time went", plots.time_by_stage),
    Panel("Load balance", plots.load_balance),
    Panel("Models per second", plots.throughput),
    Panel("The nodes: CPU, memory, disk, network", node_plots.node_cpu),
    Panel("The nodes: CPU, memory, disk, network", node_plots.node_memory),
    Panel("The nodes: CPU, memory, disk, network", node_plots.node_disk),
    Panel("The nodes: CPU, memory, disk, network", node_plots.node_network),
    Panel("Collective writes", plots.collective_writes),
    Panel("Scores", scores.score_distributions),
    Panel("Scores", scores.best_of_targets),
    Panel("Scores", scores.near_to_references),
    Panel("Slowest models", plots.slowest_models),
    Panel("Failures", plots.failures_by_reason),
    Panel("Failures", overview.failed_models),
    Panel(
        "Predicted wall time",
        overview.predicted,
        "On as many ranks as here: the start-up once, the rest in proportion to the models.",
    ),
)


class PanelError(StageAError):
    """A panel could not be made; says which."""


class Words(str):
    """A heading or a paragraph; shows itself as Markdown."""

    def _repr_markdown_(self) -> str:
        return str(self)


def shown(run: Telemetry, panels: tuple[Panel, ...] = PANELS) -> Iterator[Any]:
    """Headings, texts and panels one by one, each to be displayed.

    Parameters
    ----------
    run : Telemetry
    panels : tuple of Panel

    Raises
    ------
    PanelError
    """
    section = None
    for panel in panels:
        if panel.section != section:
            section = panel.section
            yield Words(f"## {section}")
        if panel.text:
            yield Words(panel.text)
        try:
            yield panel.show(run)
        except Exception as error:
            raise PanelError(f"panel {panel.name}: {type(error).__name__}: {error}") from error
