"""Features brought to like sizes: what is subtracted from each and what it is divided by, found in a training set."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from ..config.paths import given
from ..errors import ConfigError, RunFolderError
from ..rundir.saving import saving

#: What `normalise=` may be, and a feature's method in a mapping.
NAMED = ("none", "standard", "robust", "deeprank-ab")
METHODS = ("none", "standard", "robust", "nearness")

#: DeepRank-Ab 1.0.2's own (`src/DataSet.py`): all else is given to its network as it is.
_DEEPRANK_AB = {"dist": "nearness", "elec": "robust"}

#: Quartiles are those of at most so many values, of models at even steps: sorting needs all of them in memory.
MOST_SORTED = 10_000_000


@dataclass(frozen=True)
class Scaling:
    """What is done to the values of one feature.

    Attributes
    ----------
    method : str
        ``standard`` or ``robust``: (x - centre) / scale, by mean and standard deviation or by median and distance of
        the quartiles; ``nearness``: tanh(2 - x / 2) + 1, which DeepRank-Ab makes of a distance in Å: 2 where atoms
        touch, 0 where they are far.
    centre, scale : float
        In the feature's unit.
    """

    method: str
    centre: float = 0.0
    scale: float = 1.0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        values = values.astype(np.float64)
        return np.tanh(-values / 2 + 2) + 1 if self.method == "nearness" else (values - self.centre) / self.scale


@dataclass(frozen=True)
class Normalisation(Mapping):
    """Scalings by their features' names; a mapping. Features that have none stay as they are.

    Attributes
    ----------
    scalings : dict of str to Scaling
    """

    scalings: Mapping[str, Scaling]

    def __getitem__(self, name: str) -> Scaling:
        return self.scalings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.scalings)

    def __len__(self) -> int:
        return len(self.scalings)

    def save(self, path: str | Path) -> None:
        """Writes it as JSON: by feature the method, what is subtracted, and what the rest is divided by.

        Raises
        ------
        StorageError
        """
        lines = {name: [found.method, found.centre, found.scale] for name, found in self.items()}
        with saving(path) as draft:
            draft.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what `save` has written.

        Raises
        ------
        RunFolderError
            The file is missing, or something else.
        """
        path = given(path, "path")
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            scalings = {name: Scaling(method, *map(float, numbers)) for name, (method, *numbers) in found.items()}
            is_whole = all(s.method in METHODS and math.isfinite(s.centre) and s.scale > 0 for s in scalings.values())
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise RunFolderError(f"{path}: cannot be read as a normalisation ({error}); save it again") from error
        if not is_whole:
            raise RunFolderError(f"{path}: a method or a number in it is none of a normalisation's; save it again")
        return cls(scalings)


def methods_of(normalise: str | Mapping[str, str], features: Iterable[str]) -> dict[str, str]:
    """The method of each feature that has one.

    Parameters
    ----------
    normalise : str or mapping
        One of `NAMED`, or by feature one of `METHODS`.
    features : iterable of str
        Those with one number a row, which can have one.

    Raises
    ------
    ConfigError
    """
    features = tuple(features)
    if isinstance(normalise, str):
        if normalise not in NAMED:
            raise ConfigError(f"normalise: expected one of {', '.join(NAMED)}, found {normalise!r}")
        if normalise == "deeprank-ab":
            return {name: method for name, method in _DEEPRANK_AB.items() if name in features}
        return {} if normalise == "none" else dict.fromkeys(features, normalise)
    for name, method in normalise.items():
        if name not in features:
            raise ConfigError(
                f"normalise: {name!r} is none of the chosen features with one number a row, which are {list(features)}"
            )
        if method not in METHODS:
            raise ConfigError(f"normalise: {name}: expected one of {', '.join(METHODS)}, found {method!r}")
    return {name: method for name, method in normalise.items() if method != "none"}


def fitted(
    methods: Mapping[str, str], blocks: Callable[[Iterable[str]], Iterator[dict[str, np.ndarray]]], n_values: int
) -> Normalisation:
    """The normalisation of a training set, by a pass over its columns.

    Values that are all 0 or 1 stay as they are whatever the method: they say yes or no.

    Parameters
    ----------
    methods : mapping of str to str
        By feature.
    blocks : callable
        From names of features to their values by name, some models at a time.
    n_values : int
        Values of the feature that has most of them, which decides of how many models quartiles are taken.
    """
    fits: dict[str, _Moments | _Quartiles] = {}
    step = math.ceil(n_values / MOST_SORTED)
    for name, method in methods.items():
        if method in ("standard", "robust"):
            fits[name] = _Moments() if method == "standard" else _Quartiles(step)
    if fits:
        for values in blocks(fits):
            for name, fit in fits.items():
                fit.add(values[name].ravel().astype(np.float64))
    found = {name: Scaling(method) if name not in fits else fits[name].scaling() for name, method in methods.items()}
    return Normalisation({name: scaling for name, scaling in found.items() if scaling is not None})


class _Fit:
    """Whether all values are 0 or 1."""

    is_binary = True

    def look_at(self, values: np.ndarray) -> None:
        self.is_binary = self.is_binary and bool(((values == 0) | (values == 1)).all())


class _Moments(_Fit):
    """Mean and variance of values that come in blocks, by the pairwise update of Chan, Golub & LeVeque (1979): sums
    of squares would lose the digits of a feature whose mean is far from 0.
    """

    def __init__(self) -> None:
        self.n, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, values: np.ndarray) -> None:
        self.look_at(values)
        if not len(values):
            return
        mean, n = float(values.mean()), self.n + len(values)
        step = mean - self.mean
        self.squares += float(((values - mean) ** 2).sum()) + step**2 * self.n * len(values) / n
        self.mean += step * len(values) / n
        self.n = n

    def scaling(self) -> Scaling | None:
        if self.is_binary:
            return None
        return Scaling("standard", self.mean, math.sqrt(self.squares / self.n) or 1.0)


class _Quartiles(_Fit):
    """Median and distance of the quartiles; of every `step`-th value where there are too many."""

    def __init__(self, step: int) -> None:
        self.step, self.parts = step, list[np.ndarray]()

    def add(self, values: np.ndarray) -> None:
        self.look_at(values)
        self.parts.append(values[:: self.step].astype(np.float32))

    def scaling(self) -> Scaling | None:
        if self.is_binary:
            return None
        low, middle, high = np.percentile(np.concatenate(self.parts).astype(np.float64), (25, 50, 75))
        return Scaling("robust", float(middle), float(high - low) or 1.0)
