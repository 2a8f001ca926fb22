"""Rankings against DockQ, by hand; and that each picture says where nothing is known."""

import numpy as np
import pandas as pd
import pytest
from shipped import fab, three_poses

from stagea_mpi.errors import ConfigError
from stagea_mpi.notebook import targets
from stagea_mpi.report.figures import Missing


def table(**columns) -> pd.DataFrame:
    return pd.DataFrame({"vdw_clash": False, "low_heavy_light": False, "modified_interface": False} | columns)


TWO = table(
    target=["a", "a", "a", "b", "b"],
    dockq=[0.1, 0.5, 0.3, 0.22, 0.9],
    score=[3.0, 2.0, 1.0, 9.0, np.nan],
    energy=[-1.0, -9.0, 0.0, -2.0, -3.0],
)


def test_success_is_a_hit_among_the_best_of_each_target_by_hand():
    found = targets.success_rate(TWO, "score")
    assert found.index.tolist() == [1, 2, 3]
    assert found["success"].tolist() == [0.0, 1.0, 1.0]  # a: second; b: its hit has no score and comes last, second
    assert found["hits"].tolist() == pytest.approx([0.0, 0.5, (2 / 3 + 1 / 2) / 2])
    # a has two hits of three, b one of two
    assert found["chance"].tolist() == pytest.approx([(2 / 3 + 1 / 2) / 2, 1.0, 1.0])


def test_a_low_value_may_be_the_better_one():
    assert targets.success_rate(TWO, "energy", ascending=True)["success"].tolist() == [1.0, 1.0, 1.0]
    assert targets.success_rate(TWO, "energy")["success"].tolist() == [0.5, 1.0, 1.0]


def test_the_best_order_is_that_of_dockq_itself():
    random = np.random.default_rng(3)
    models = table(target=np.repeat(["x", "y", "z"], 40), dockq=random.uniform(0, 0.6, 120))
    best, worst = (targets.success_rate(models, "dockq", ascending=ascending) for ascending in (False, True))
    assert (best["success"] == 1.0).all()
    assert (best["hits"] + 1e-12 >= worst["hits"]).all()
    assert ((best["success"] >= best["chance"]) & (best["chance"] >= worst["success"] - 1e-12)).all()


def test_what_cannot_be_ranked_is_named():
    with pytest.raises(ConfigError, match="no column scores in the models; there are dockq, score, energy"):
        targets.success_rate(TWO, "scores")
    with pytest.raises(ConfigError, match="no model has a DockQ"):
        targets.success_rate(TWO.assign(dockq=np.nan), "score")


def test_pictures_say_where_no_model_is_compared():
    unknown = TWO.assign(dockq=np.nan)
    for found in (
        targets.dockq_distribution(unknown),
        targets.against_dockq(TWO.drop(columns="dockq")),
        targets.success_curve(unknown, ["score"]),
    ):
        assert isinstance(found, Missing)
        assert "score-reference" in found


def test_pictures_show_every_model_and_class():
    (axes,) = targets.dockq_distribution(TWO).axes
    assert sum(patch.get_height() for patch in axes.patches) == 5
    (side,) = targets.against_dockq(TWO, ["energy"]).axes
    assert sum(len(points.get_offsets()) for points in side.collections) == 5
    (axes,) = targets.success_curve(TWO, ["score", "energy"], ascending=["energy"]).axes
    assert [line.get_label() for line in axes.lines] == ["score", "energy", "any order"]


def test_contacts_beside_the_known_ones_are_counted_by_hand():
    reference, pose = fab().graph, three_poses()[0].graph
    known, found = (
        {tuple(pair) for pair in graph.residue_number[graph.interface.nodes].tolist()} for graph in (reference, pose)
    )
    figure = targets.contacts_beside(reference, [reference, pose])
    images = [axes.images[0].get_array() for axes in figure.axes]
    assert [(image == 3).sum() for image in images] == [len(known), len(known & found)]
    assert (images[1] == 2).sum() == len(found - known)
    assert (images[1] == 1).sum() == len(known - found)
