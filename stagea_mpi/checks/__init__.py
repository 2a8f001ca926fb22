"""Published files against their records and against each other; and what of a machine a run needs."""
