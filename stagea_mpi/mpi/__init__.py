"""Ranks: their teams, agreement and abort, the shared counter, the processes beside them, what MPI needs of a node."""
