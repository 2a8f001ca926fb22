"""Stage A of the scoring of antibody-antigen docking models: atom-level interface graphs, in parallel."""

__version__ = "0.2.0"
