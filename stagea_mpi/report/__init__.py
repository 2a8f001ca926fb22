"""What a run has written about itself: read as tables, drawn, put into words, and as one page.

pandas and matplotlib are loaded where a notebook or the report asks for them.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tables import Telemetry


def load(run_root: str | Path) -> "Telemetry":
    """Everything that a run has noted, as tables; see `tables.Telemetry`."""
    from .tables import load

    return load(run_root)
