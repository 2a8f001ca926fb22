"""Stage A of the scoring of antibody-antigen docking models: atom-level interface graphs, in parallel.

What stands in `__all__` is for Python's users. It is loaded when it is asked for, so that the package itself, and with
it the command line's first line, takes no time to import.
"""

TYPE_CHECKING = False  # known to type checkers by its name; the module `typing` would have to be loaded
if TYPE_CHECKING:
    from .antibody.complexes import Chains
    from .api import build_graph
    from .errors import ConfigError, LaunchError, ModelError, RunFolderError, StageAError, StorageError
    from .notebook.explore import Run
    from .notebook.model_graph import InterfaceGraph
    from .training.dataset import GraphDataset
    from .training.normalisation import Normalisation

__version__ = "0.2.0"

__all__ = [
    "Chains",
    "ConfigError",
    "GraphDataset",
    "InterfaceGraph",
    "LaunchError",
    "ModelError",
    "Normalisation",
    "Run",
    "RunFolderError",
    "StageAError",
    "StorageError",
    "build_graph",
]

_MODULES = {
    "Chains": "antibody.complexes",
    "GraphDataset": "training.dataset",
    "InterfaceGraph": "notebook.model_graph",
    "Normalisation": "training.normalisation",
    "Run": "notebook.explore",
    "build_graph": "api",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_MODULES.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
