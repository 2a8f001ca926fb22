"""The list of panels: its order, that each says so where nothing was noted, and that one which fails is named."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_report import SECTIONS

from stagea_mpi.report import load
from stagea_mpi.report.figures import Missing
from stagea_mpi.report.notes import Notes
from stagea_mpi.report.panels import PANELS, Panel, PanelError, shown
from stagea_mpi.report.scores import near_to_references

ORDER = """
starts shards versions configuration notes rank_timeline time_by_stage load_balance throughput node_cpu node_memory
node_disk node_network collective_writes score_distributions best_of_targets near_to_references slowest_models
failures_by_reason failed_models predicted
""".split()


@pytest.fixture
def empty_run(tmp_path):
    """A run that has been started and has noted nothing."""
    (tmp_path / "shard_lists").mkdir()
    (tmp_path / "shard_lists" / "shards.params").write_text("")
    return load(tmp_path)


def test_panels_come_in_their_order():
    assert [panel.name for panel in PANELS] == ORDER


def test_a_heading_comes_before_the_first_panel_of_its_section_alone(empty_run):
    parts = [part._repr_markdown_() for part in shown(empty_run)]
    assert [part[3:] for part in parts if part.startswith("## ")] == SECTIONS
    assert len(parts) == len(SECTIONS) + len(ORDER) + 1
    assert parts[-2] == "On as many ranks as here: the start-up once, the rest in proportion to the models."


@pytest.mark.parametrize("panel", PANELS, ids=ORDER)
def test_a_panel_without_data_says_so(panel, empty_run):
    found = panel.show(empty_run)
    if panel.name == "notes":
        assert isinstance(found, Notes)
        assert "No events: the folder" in " ".join(found)
    else:
        assert isinstance(found, Missing)
        assert found.endswith(".")


def test_models_are_counted_by_capris_classes_and_those_that_were_not_compared_do_not_count():
    models = pd.DataFrame(
        {
            "target": ["a", "a", "a", "b", "b"],
            "dockq": [0.9, 0.1, np.nan, 0.3, 0.6],
            "capri_class": [3.0, 0.0, np.nan, 1.0, 2.0],
        }
    )
    table = near_to_references(SimpleNamespace(models=models)).data
    assert table.columns.tolist() == ["target", "models", "high", "medium", "acceptable", "incorrect", "best DockQ"]
    assert table.to_numpy().tolist() == [["a", 2, 1, 0, 0, 1, 0.9], ["b", 2, 0, 1, 1, 0, 0.6]]


def test_a_panel_that_fails_is_named(empty_run):
    def broken(run):
        return {}["x"]

    parts = shown(empty_run, (Panel("Failures", broken),))
    assert next(parts) == "## Failures"
    with pytest.raises(PanelError, match="panel broken: KeyError: 'x'"):
        next(parts)
