"""What a run has written about itself: read as tables, drawn, put into words, and as one page.

pandas and matplotlib are loaded where a notebook or the report asks for them.
"""


def load(run_root):
    """Everything that a run has noted, as tables; see `tables.Telemetry`."""
    from .tables import load

    return load(run_root)
