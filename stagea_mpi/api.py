"""One model's interface graph in one call, without run folder, configuration or MPI.

The numbers are those of a run: a model goes through the same functions. What these do for all models of a shard at
once, on all ranks, is done here for one.
"""

import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import gemmi

from .antibody.chain_checking import antibody_imgt, antibody_regions
from .antibody.chain_rules import AUTO, ChainRule, ChainTable
from .antibody.complexes import Chains
from .config.chains import CHAIN_KEYS, check_chains, parse_chains
from .config.paths import given
from .errors import ConfigError, ModelError, StageAError
from .graph.interface_graph import GraphArrays
from .graph.interface_graph import build_graph as build_arrays
from .inputs import AtomTable, atoms_of_structure, read_model
from .mpi.guard import time_limit
from .notebook.model_graph import InterfaceGraph
from .pipeline.inventory import unexpected
from .pipeline.one_model import chosen_model, complex_of, position

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
    rule = _rule(heavy, light, antigen, chains)
    timeout = _seconds(timeout)
    name = _name_of(source)
    try:
        with time_limit(timeout, name, "timeout"):
            name, atoms = _read(source, model)
            return InterfaceGraph.of(_graph_of(atoms, rule, name), name)
    except StageAError:
        raise
    except Exception as bug:
        raise unexpected(bug, name, "graph") from bug


def _rule(heavy: Any, light: Any, antigen: Any, chains: Any) -> Chains | ChainRule:
    stated = {"heavy": heavy, "light": light, "antigen": antigen}
    named = [role for role, value in stated.items() if not (isinstance(value, str) and value == AUTO)]
    if chains is not None and named:
        raise ConfigError(f"build_graph: chains and {' and '.join(named)} are both stated; expected one of the two")
    if isinstance(chains, Chains):
        return check_chains(chains, "build_graph: chains")
    if isinstance(chains, ChainRule):
        chains = {f.name: getattr(chains, f.name) for f in fields(chains)}
    if chains is None:
        return _parsed(stated, "build_graph")
    if isinstance(chains, dict):
        unknown = [str(key) for key in chains if key not in CHAIN_KEYS]
        if unknown:
            known = ", ".join(CHAIN_KEYS)
            raise ConfigError(f"build_graph: chains: expected some of {known}, found {', '.join(unknown)}")
    return _parsed(chains, "build_graph: chains")


def _parsed(value: Any, key: str) -> Chains | ChainRule:
    if isinstance(value, dict) and "antigen" in value:
        value = value | {"antigen": _in_order(value["antigen"], f"{key}.antigen")}
    found = parse_chains(value, key)
    if isinstance(found, ChainTable):
        raise ConfigError(f"{key}: a table says which chains each of many models has; state those of this one")
    return found


def _in_order(antigen: Any, key: str) -> Any:
    """The antigen's names as a list, where they are more than one value; they are merged in this order."""
    if isinstance(antigen, (Set, Mapping)):
        raise ConfigError(f"{key}: chains are merged in order; expected a list of names, found {antigen!r}")
    is_one = isinstance(antigen, (str, bytes, bytearray)) or not isinstance(antigen, Iterable)
    return antigen if is_one else [str(name) if isinstance(name, str) else name for name in antigen]


def _seconds(timeout: Any) -> float | None:
    """The limit, where it is one: clocks take no more than `_LONGEST_S`."""
    is_number = isinstance(timeout, Real) and not isinstance(timeout, bool)
    if timeout is not None and not (is_number and timeout > 0):
        raise ConfigError(f"build_graph: timeout: expected seconds above 0, or None, found {timeout!r}")
    return None if timeout is None or timeout > _LONGEST_S else float(timeout)


def _name_of(source: Any) -> str:
    """What messages call the source before its model has a name."""
    if isinstance(source, gemmi.Structure):
        return source.name or "structure"
    if not isinstance(source, (str, os.PathLike)):
        raise ConfigError(
            f"build_graph: expected the path of a file or a gemmi.Structure, found {type(source).__name__}"
        )
    return os.fspath(source)


def _read(source: Any, model: str | int | None) -> tuple[str, AtomTable]:
    """The chosen model's name and atoms."""
    if model is not None and (isinstance(model, bool) or not isinstance(model, (str, Integral))):
        raise ConfigError(f"build_graph: model: expected a name or a number, found {model!r}")
    if isinstance(source, gemmi.Structure):
        return _from_structure(source, model)
    ref = chosen_model(given(source, "build_graph"), model, "model=")
    return ref.name, read_model(ref)


def _from_structure(structure: gemmi.Structure, model: str | int | None) -> tuple[str, AtomTable]:
    name = structure.name or "structure"
    numbers = list(dict.fromkeys(found.num for found in structure))
    if not numbers:
        raise ModelError("no_models", f"{name}: the structure holds no model", "read")
    names = [name if len(structure) == 1 else f"{name}_model_{number}" for number in numbers]
    k = 0 if model is None else position(model, names, numbers, name)
    return names[k], atoms_of_structure(structure, numbers[k], names[k])


def _graph_of(atoms: AtomTable, rule: Chains | ChainRule, name: str) -> GraphArrays:
    complex_, checked = complex_of(atoms, rule, name)
    return build_arrays(complex_, antibody_regions(complex_, checked), antibody_imgt(complex_, checked))
