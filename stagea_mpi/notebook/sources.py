"""What Python's users hand over for a model: a file or a structure, which of its models, which of its chains."""

import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import Any

import gemmi

from ..antibody.chain_rules import AUTO, ChainRule, ChainTable
from ..antibody.complexes import Chains
from ..config.chains import CHAIN_KEYS, check_chains, parse_chains
from ..config.paths import given
from ..errors import ConfigError, ModelError
from ..graph.interface_graph import GraphArrays
from ..inputs import AtomTable, atoms_of_structure, read_model
from ..pipeline.one_model import chosen_model, complex_of, position
from .residues import ModelResidues, residues_of


@dataclass(frozen=True)
class FromSource:
    """What a graph was built from (`residues.Origin`).

    Attributes
    ----------
    source : path or gemmi.Structure
    chains : Chains or ChainRule
    model : str, int or None
    """

    source: Any
    chains: Chains | ChainRule
    model: str | int | None = None

    def residues(self, graph: GraphArrays) -> ModelResidues:
        """The residues of the graph's structure.

        Raises
        ------
        ConfigError, ModelError, LaunchError
            As `InterfaceGraph.in_structure`.
        """
        name, atoms = read_source(self.source, self.model, "in_structure")
        chains, _, checked = complex_of(atoms, self.chains, name)
        return replace(residues_of(graph, atoms, chains, checked, name), name=graph.name or name)


def rule_of(heavy: Any, light: Any, antigen: Any, chains: Any, who: str) -> Chains | ChainRule:
    """What is stated of a model's chains, checked; arguments are those of `stagea_mpi.build_graph`.

    Parameters
    ----------
    who : str
        The function that the caller has called, for messages.

    Raises
    ------
    ConfigError
    """
    stated = {"heavy": heavy, "light": light, "antigen": antigen}
    named = [role for role, value in stated.items() if not (isinstance(value, str) and value == AUTO)]
    if chains is not None and named:
        raise ConfigError(f"{who}: chains and {' and '.join(named)} are both stated; expected one of the two")
    if isinstance(chains, Chains):
        return check_chains(chains, f"{who}: chains")
    if isinstance(chains, ChainRule):
        chains = {f.name: getattr(chains, f.name) for f in fields(chains)}
    if chains is None:
        return _parsed(stated, who)
    if isinstance(chains, dict):
        unknown = [str(key) for key in chains if key not in CHAIN_KEYS]
        if unknown:
            known = ", ".join(CHAIN_KEYS)
            raise ConfigError(f"{who}: chains: expected some of {known}, found {', '.join(unknown)}")
    return _parsed(chains, f"{who}: chains")


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


def name_of(source: Any, who: str) -> str:
    """What messages call the source before its model has a name.

    Raises
    ------
    ConfigError
        It is neither a path nor a structure.
    """
    if isinstance(source, gemmi.Structure):
        return source.name or "structure"
    if not isinstance(source, (str, os.PathLike)):
        raise ConfigError(f"{who}: expected the path of a file or a gemmi.Structure, found {type(source).__name__}")
    return os.fspath(source)


def read_source(source: Any, model: str | int | None, who: str) -> tuple[str, AtomTable]:
    """The chosen model's name and atoms; arguments are those of `stagea_mpi.build_graph`.

    Raises
    ------
    ModelError, ConfigError
    """
    name_of(source, who)
    if model is not None and (isinstance(model, bool) or not isinstance(model, (str, Integral))):
        raise ConfigError(f"{who}: model: expected a name or a number, found {model!r}")
    if isinstance(source, gemmi.Structure):
        return _from_structure(source, model)
    ref = chosen_model(given(source, who), model, "model=")
    return ref.name, read_model(ref)


def _from_structure(structure: gemmi.Structure, model: str | int | None) -> tuple[str, AtomTable]:
    name = structure.name or "structure"
    numbers = list(dict.fromkeys(found.num for found in structure))
    if not numbers:
        raise ModelError("no_models", f"{name}: the structure holds no model", "read")
    names = [name if len(structure) == 1 else f"{name}_model_{number}" for number in numbers]
    k = 0 if model is None else position(model, names, numbers, name)
    return names[k], atoms_of_structure(structure, numbers[k], names[k])
