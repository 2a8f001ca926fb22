"""What a run notes about itself while it runs, and how that is read, drawn and put into words.

Ranks import `events` and `recording` only; pandas and matplotlib are loaded where a notebook or the report asks for
them.
"""


def load(run_root):
    """Everything that a run has noted, as tables; see `tables.Telemetry`."""
    from .tables import load

    return load(run_root)
