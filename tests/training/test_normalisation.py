"""Scalings as they are fitted to blocks of values, against NumPy's over all values at once."""

import numpy as np
import pytest

from stagea_mpi.errors import ConfigError, RunFolderError
from stagea_mpi.training import normalisation
from stagea_mpi.training.normalisation import Normalisation, Scaling, fitted, methods_of


def in_blocks(values: np.ndarray, n_blocks: int):
    return lambda names: ({name: part for name in names} for part in np.array_split(values, n_blocks))


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(1e6, 0.5, 1001).astype(np.float32)


@pytest.mark.parametrize("n_blocks", [1, 7, 1500])  # some of which are empty
def test_mean_and_deviation_do_not_depend_on_the_blocks(values, n_blocks):
    found = fitted({"dist": "standard"}, in_blocks(values, n_blocks), len(values))["dist"]
    assert found.centre == pytest.approx(values.astype(np.float64).mean(), rel=1e-14)
    assert found.scale == pytest.approx(values.astype(np.float64).std(), rel=1e-9)


def test_quartiles_are_those_of_all_values(values):
    found = fitted({"elec": "robust"}, in_blocks(values, 7), len(values))["elec"]
    low, middle, high = np.percentile(values.astype(np.float64), (25, 50, 75))
    assert (found.centre, found.scale) == (middle, high - low)


def test_of_too_many_values_quartiles_are_those_of_every_nth(values, monkeypatch):
    monkeypatch.setattr(normalisation, "MOST_SORTED", 300)
    found = fitted({"elec": "robust"}, in_blocks(values, 1), len(values))["elec"]
    assert found.centre == np.median(values[::4].astype(np.float64))


def test_what_says_yes_or_no_stays_as_it_is():
    found = fitted({"covalent": "standard", "chain": "robust"}, in_blocks(np.array([0.0, 1.0, 1.0]), 2), 3)
    assert dict(found) == {}


def test_a_feature_that_is_the_same_everywhere_is_not_divided_by_0():
    assert fitted({"bsa": "standard"}, in_blocks(np.full(5, 3.0), 1), 5)["bsa"] == Scaling("standard", 3.0, 1.0)
    assert fitted({"bsa": "robust"}, in_blocks(np.full(5, 3.0), 1), 5)["bsa"] == Scaling("robust", 3.0, 1.0)


def test_it_is_saved_and_loaded_to_the_last_digit(tmp_path):
    found = Normalisation({"bsa": Scaling("standard", 1 / 3, 2 / 3), "dist": Scaling("nearness")})
    found.save(tmp_path / "normalisation.json")
    assert Normalisation.load(tmp_path / "normalisation.json") == found


@pytest.mark.parametrize("text", ["", "[1]", '{"bsa": ["standard", 1, 0]}', '{"bsa": ["mean", 1, 1]}', '{"bsa": 3}'])
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(RunFolderError, match="other.json.*save it again"):
        Normalisation.load(tmp_path / "other.json")


def test_what_is_no_method_or_no_chosen_feature_is_refused():
    with pytest.raises(ConfigError, match="expected one of none, standard, robust, deeprank-ab, found 'zscore'"):
        methods_of("zscore", ["bsa"])
    with pytest.raises(ConfigError, match="'elec' is none of the chosen features with one number a row"):
        methods_of({"elec": "robust"}, ["bsa"])
    with pytest.raises(ConfigError, match="bsa: expected one of none, standard, robust, nearness, found 'deeprank-ab'"):
        methods_of({"bsa": "deeprank-ab"}, ["bsa"])
