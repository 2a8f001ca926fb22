"""One model's interface graph in one call, without run folder, configuration or MPI.

The numbers are those of a run: a model goes through the same functions. What these do for all models of a shard at
once, on all ranks, is done here for one.
"""

from collections.abc import Iterable
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any

import gemmi

from .antibody.chain_checking import antibody_imgt, antibody_regions
from .antibody.chain_rules import AUTO, ChainRule
from .antibody.complexes import Chains
from .errors import ConfigError, StageAError
from .graph.interface_graph import build_graph as build_arrays
from .mpi.guard import time_limit
from .notebook.model_graph import InterfaceGraph
from .notebook.sources import FromSource, name_of, read_source, rule_of
from .pipeline.inventory import unexpected
from .pipeline.one_model import complex_of

#: Four months: a limit above it is none.
_LONGEST_S = 1e7


def build_graph(
    source: str | Path | gemmi.Structure,
    *,
    heavy: str = AUTO,
    light: str | None = AUTO,
    antigen: str | Iterable[str] = AUTO,
    chains: str | dict[str, Any] | Chains | ChainRule | None = None,
    model: str | int | None = None,
    timeout: float | None = None,
) -> InterfaceGraph:
    """The interface graph of a docking model, as a run computes it.

    Parameters
    ----------
    source : path or gemmi.Structure
        A file that a run could read: PDB or mmCIF, plain or compressed, a single model, an ensemble or an archive. Of a
        structure, what gemmi holds is taken: errors in its file are no longer seen.
    heavy, light : str
        Names of the antibody's chains; what is left out is found by its variable domain. `light` is None (or ``-``) for
        an antibody without a light chain, and the heavy chain's name where both domains are in one chain.
    antigen : str or iterable of str
        Names of the antigen's chains, in the order in which they are merged (so no set); found where left out.
    chains : Chains, ChainRule, dict or str, optional
        All of this at once instead: ``auto``, or as `chains` stands in run.yaml (``check: false``, ``copy: 2``).
    model : str or int, optional
        Which model of a source that has several: its name in a run, or its number (a text is a number where no model
        has it as its name). Of a file with several one has to be chosen, of a structure the first one is the default.
    timeout : float, optional
        Seconds that it may take; no limit by default.

    Returns
    -------
    graph : InterfaceGraph
        Not clustered; see `InterfaceGraph.cluster`.

    Raises
    ------
    ModelError
        There is no graph, for one of the reasons that a run notes in failures.tsv (`reason`).
    ConfigError
        An argument is wrong, or the file has several models and none is chosen.
    LaunchError
        A program that computes is not installed.
    """
    rule = rule_of(heavy, light, antigen, chains, "build_graph")
    timeout = _seconds(timeout)
    name = name_of(source, "build_graph")
    try:
        with time_limit(timeout, name, "timeout"):
            name, atoms = read_source(source, model, "build_graph")
            found, complex_, checked = complex_of(atoms, rule, name)
            origin = None  # of a structure, which may be changed later on; a file is known by its path
            if not isinstance(source, gemmi.Structure):
                origin = FromSource(str(Path(source).absolute()), replace(found, check=False), model)
            graph = build_arrays(complex_, antibody_regions(complex_, checked), antibody_imgt(complex_, checked))
            return InterfaceGraph.of(graph, name, origin=origin)
    except StageAError:
        raise
    except Exception as bug:
        raise unexpected(bug, name, "graph") from bug


def _seconds(timeout: Any) -> float | None:
    """The limit, where it is one: clocks take no more than `_LONGEST_S`."""
    is_number = isinstance(timeout, Real) and not isinstance(timeout, bool)
    if timeout is not None and not (is_number and timeout > 0):
        raise ConfigError(f"build_graph: timeout: expected seconds above 0, or None, found {timeout!r}")
    return None if timeout is None or timeout > _LONGEST_S else float(timeout)
