"""Prints the tables of docs/configuration.md."""

from .run_config import RunConfig
from .settings import StageA, documented

print(documented(RunConfig), documented(StageA), sep="\n\n")
