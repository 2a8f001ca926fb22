"""What is stated of models' chains, and what that leaves to be found."""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..inputs import ModelRef
from ..inputs.name_patterns import NamePatterns, names_of
from .complexes import Chains

#: In the place of a chain: to be found.
AUTO = "auto"


@dataclass(frozen=True)
class ChainRule:
    """What is known of a model's chains before it is read.

    Attributes
    ----------
    heavy : str
        `AUTO` or a name.
    light : str or None
        `AUTO`, a name, or None for an antibody without a light chain. The heavy chain's name: both domains are in one
        chain.
    antigen : tuple of str or str
        Names, or `AUTO`.
    copy : int or None
        Which copy of the antibody in the file, counted from 1 in the order of the heavy chains; None for the one with
        the largest interface.
    check : bool
        Whether a model is refused in which stated chains cannot be what they are said to be.
    """

    heavy: str = AUTO
    light: str | None = AUTO
    antigen: tuple[str, ...] | str = AUTO
    copy: int | None = None
    check: bool = True

    @property
    def is_stated(self) -> bool:
        """Whether nothing is left to be found."""
        return AUTO not in (self.heavy, self.light, self.antigen) and self.heavy != self.light

    def stated(self) -> Chains:
        antigen = (self.antigen,) if isinstance(self.antigen, str) else self.antigen
        return Chains(self.heavy, self.light, antigen, check=self.check)

    def for_model(self, ref: ModelRef) -> "ChainRule":
        return self

    def as_dict(self) -> dict[str, Any]:
        """The rule in run.yaml's shape."""
        antigen = self.antigen if self.antigen == AUTO else list(self.antigen)
        found = {"heavy": self.heavy, "light": self.light or "-", "antigen": antigen}
        return found | ({} if self.copy is None else {"copy": self.copy}) | ({} if self.check else {"check": False})

    def fingerprint(self) -> dict[str, Any]:
        """What a graph's numbers depend on."""
        return self.as_dict()

    def __str__(self) -> str:
        antigen = self.antigen if self.antigen == AUTO else ", ".join(self.antigen)
        return f"heavy {self.heavy}, light {self.light or 'none'}, antigen {antigen}"


@dataclass(frozen=True)
class ChainTable:
    """Rules by model.

    Attributes
    ----------
    path : Path
    rows : tuple of (str, ChainRule)
        Names of models or of files, or patterns of these, and what holds for them; the first row that fits counts.
    digest : str
        SHA-256 of the table.
    """

    path: Path
    rows: tuple[tuple[str, ChainRule], ...]
    digest: str = field(default="")

    def for_model(self, ref: ModelRef) -> ChainRule:
        """The rule for a model.

        Raises
        ------
        ModelError
            ``chains_unstated``.
        """
        row = self._patterns.first(names_of(ref))
        if row is None:
            raise ModelError("chains_unstated", f"{ref.source}: {self.path} has no row for {ref.name}", "chains")
        return self.rows[row][1]

    @functools.cached_property
    def _patterns(self) -> NamePatterns:
        return NamePatterns([name for name, _ in self.rows])

    def as_dict(self) -> dict[str, Any]:
        return {"table": str(self.path)}

    def fingerprint(self) -> dict[str, Any]:
        return {"table_sha256": self.digest}

    def __str__(self) -> str:
        return f"by {self.path} ({len(self.rows)} rows)"
