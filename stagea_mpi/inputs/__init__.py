"""Input files: which there are, which models they hold, what these are called, and one model's atoms as arrays."""

from .atom_table import AtomTable
from .atoms import atoms_of_structure, read_model
from .containers import FileListing, ModelRef, list_models
from .discovery import InputFiles, discover
from .model_names import FileNames, RunNames, stem

__all__ = [
    "AtomTable",
    "FileListing",
    "FileNames",
    "InputFiles",
    "ModelRef",
    "RunNames",
    "atoms_of_structure",
    "discover",
    "list_models",
    "read_model",
    "stem",
]
