"""Plot functions draw on the caller's axes where these are given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from stagea_mpi.errors import ConfigError
from stagea_mpi.pipeline.simulation import StageCosts
from stagea_mpi.report import node_plots, plots, scaling
from stagea_mpi.report.figures import Missing
from stagea_mpi.report.measures import PHASE_ORDER
from stagea_mpi.report.tables import Telemetry, load

ON_ONE = (
    plots.rank_timeline, plots.load_balance, plots.slowest_models, plots.failures_by_reason,
    node_plots.node_cpu, node_plots.node_memory, node_plots.node_disk, node_plots.node_network,
)  # fmt: skip
ON_SEVERAL = ((plots.time_by_stage, (1, 2)), (plots.throughput, (2, 1)), (plots.collective_writes, (1, 2)))


@pytest.fixture(scope="module")
def run(two_rank_run) -> Telemetry:
    return load(two_rank_run)


@pytest.fixture
def compared() -> pd.DataFrame:
    """Two runs as `scaling.compare` gives them."""
    ranks = pd.Index([1, 2], name="ranks")
    found = pd.DataFrame(
        {"models": 6, "wall_s": [4.0, 2.5], "rate": [2.0, 3.6], **dict.fromkeys(PHASE_ORDER, 0.3)}, ranks
    )
    return found.assign(speed_up=[1.0, 1.6], efficiency=[1.0, 0.8])


def assert_drawn(figure, own, axes) -> None:
    if isinstance(figure, Missing):  # a machine without such counters
        pytest.skip(str(figure))
    assert figure is own
    assert all(axis.has_data() for axis in np.ravel(axes))
    plt.close(own)


@pytest.mark.parametrize("draw", ON_ONE, ids=lambda draw: draw.__name__)
def test_a_picture_is_drawn_on_given_axes(draw, run):
    own, axes = plt.subplots()
    assert_drawn(draw(run, ax=axes), own, axes)


@pytest.mark.parametrize(("draw", "shape"), ON_SEVERAL, ids=[draw.__name__ for draw, _ in ON_SEVERAL])
def test_several_pictures_are_drawn_on_given_axes(draw, shape, run):
    own, axes = plt.subplots(*shape)
    assert_drawn(draw(run, axes=axes), own, axes)


def test_comparisons_are_drawn_on_given_axes(compared):
    own, axes = plt.subplots(1, 2)
    assert_drawn(scaling.speed_up(compared, axes=list(axes)), own, axes)
    own, axes = plt.subplots()
    assert_drawn(scaling.losses(compared, ax=axes), own, axes)
    own, axes = plt.subplots(1, 2)
    costs = StageCosts(model_s=(0.02, 0.03), finish_s=0.003)
    assert_drawn(scaling.simulated_scaling(costs, [1000], [1, 2], axes=list(axes)), own, axes)


def test_axes_of_another_number_are_refused(run):
    own, axes = plt.subplots(3, 1)
    with pytest.raises(ConfigError, match="expected 2 axes to draw on, found 3"):
        plots.throughput(run, axes=axes)
    plt.close(own)
