"""What the ranks of each node have used, and its disks and networks, as the report's figures: lines over time.

Functions take and return what those of `plots` do.
"""

from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .figures import COLOURS, CYCLE, Missing, legend_above, picture
from .tables import Telemetry

#: Of more nodes than these the median and the range are drawn.
_MOST_LINES = 6

NO_SAMPLES = (
    "No samples were taken: `collect_metrics: false`, a run shorter than `metrics_interval`, "
    "or files that were removed."
)


def node_cpu(run: Telemetry, ax: Axes | None = None) -> Figure | Missing:
    """CPUs that the ranks of each node kept busy, against those that they were given."""
    given = {node: len({cpu for cpus in ranks["cpus"] for cpu in cpus}) for node, ranks in run.ranks.groupby("node")}
    return _node_lines(
        run, {"ranks_cpu_pct": ""}, "CPUs busy", 0.01, _limit(given.values(), "CPUs given to the ranks of a node"), ax
    )


def node_memory(run: Telemetry, ax: Axes | None = None) -> Figure | Missing:
    """Memory that the ranks of each node held (shared pages are counted for each), against what was asked for."""
    asked = run.config.get("stage_a", {}).get("mem_gb")
    limit = (asked, f"asked for: {asked:g} GiB (mem_gb)") if asked else None
    return _node_lines(run, {"ranks_rss_mib": ""}, "memory of ranks (GiB)", 1 / 1024, limit, ax)


def node_disk(run: Telemetry, ax: Axes | None = None) -> Figure | Missing:
    """Disk traffic of each node, all programs on it."""
    return _node_lines(run, {"disk_read_MBps": "read", "disk_write_MBps": "write"}, "disk (MiB/s)", 1.0, None, ax)


def node_network(run: Telemetry, ax: Axes | None = None) -> Figure | Missing:
    """Network traffic of each node, all programs on it."""
    return _node_lines(run, {"net_rx_MBps": "received", "net_tx_MBps": "sent"}, "network (MiB/s)", 1.0, None, ax)


def _limit(values: Iterable[int], label: str) -> tuple[float, str] | None:
    known = sorted(set(values))
    return (known[-1], f"{label}: {known[-1]}") if known else None


def _node_lines(
    run: Telemetry,
    columns: dict[str, str],
    ylabel: str,
    unit: float,
    limit: tuple[float, str] | None,
    ax: Axes | None = None,
) -> Figure | Missing:
    """Lines over time, a colour a node and a dash a column; of many nodes the median and the range."""
    samples = run.samples.dropna(subset=list(columns), how="all")
    if samples.empty:
        what = ylabel.split(" (")[0]
        return Missing(
            NO_SAMPLES if run.samples.empty else f"No counters for this could be read ({what}): a gap, not zero."
        )
    start = run.ranks["started"].min() if len(run.ranks) else samples["time"].min()
    figure, axes = picture(f"{ylabel} of each node over time", 2.2, given=ax)
    nodes = list(samples.groupby("node"))
    for (column, name), dash in zip(columns.items(), ("-", "--"), strict=False):
        if len(nodes) > _MOST_LINES:
            _envelope(axes, samples, column, name, start, unit, dash)
            continue
        for (node, part), colour in zip(nodes, CYCLE, strict=False):
            label = " ".join(filter(None, (str(node), name)))
            axes.plot(
                part["time"] - start, part[column] * unit, dash, marker=".", color=colour, label=label, linewidth=1.4
            )
    if limit is not None:
        axes.axhline(limit[0], color=COLOURS["black"], linestyle=":", label=limit[1])
    axes.set(ylabel=ylabel, xlabel="time since the first start (s)", xlim=(0, None))
    axes.set_ylim(0, max(1.08 * axes.get_ylim()[1], 0.01))
    legend_above(axes, 4)
    return figure


def _envelope(axes: Axes, samples: pd.DataFrame, column: str, name: str, start: float, unit: float, dash: str) -> None:
    width = max(2.0, (samples["time"].max() - samples["time"].min()) / 200)
    binned = (samples[column] * unit).groupby(((samples["time"] - start) // width + 0.5) * width)
    middle, low, high = binned.median(), binned.min(), binned.max()
    n_nodes = samples["node"].nunique()
    axes.fill_between(low.index, low, high, color=COLOURS["sky"], alpha=0.4, linewidth=0)
    axes.plot(
        middle.index, middle, dash, color=COLOURS["blue"], label=f"{name} median and range of {n_nodes} nodes".strip()
    )
