"""One model of a file with its chains and domains, alone: what a run does for all models of a shard at once."""

from collections.abc import Sequence

from ..antibody.chain_checking import CheckedChains, check_numbered
from ..antibody.chain_finding import find_chains
from ..antibody.chain_rules import ChainRule
from ..antibody.complexes import Chains, Complex, chain_sequences, merge_chains
from ..errors import ConfigError, listed
from ..inputs import AtomTable, ModelRef, list_models
from ..mpi.teams import SerialComm
from .shared_numbering import Numbering


def chosen_model(path: str, model: str | int | None, asked: str) -> ModelRef:
    """The model of a file that is asked for, or its only one.

    Parameters
    ----------
    path : str
    model : str or int, optional
        Its name or its number.
    asked : str
        How a model is asked for, for messages.

    Raises
    ------
    ModelError
        The file cannot be read, or that model of it cannot.
    ConfigError
        No model or several fit.
    """
    listing = list_models(path)
    models = listing.models
    if model is not None:
        for ref, failure in listing.failures:
            if model in (ref.name, ref.serial):
                raise failure
        return models[position(model, [ref.name for ref in models], [ref.serial for ref in models], path)]
    if not models and len(listing.failures) == 1:
        raise listing.failures[0][1]
    if len(models) != 1:
        names = _listed([ref.name for ref in models], [ref.serial for ref in models])
        raise ConfigError(f"{path}: {len(models)} models; expected one of them as {asked}: {names}")
    return models[0]


def position(model: str | int, names: Sequence[str], numbers: Sequence[int | None], source: str) -> int:
    """Where the model that is asked for stands among a source's models."""
    found = _positions(model, names, numbers)
    if len(found) != 1:
        what = f"{len(found)} models are" if found else "no model is"
        raise ConfigError(f"{source}: {what} {model!r}; expected one of {_listed(names, numbers)}")
    return found[0]


def _positions(model: str | int, names: Sequence[str], numbers: Sequence[int | None]) -> list[int]:
    """Models of this name; or of this number, which may be a text, if none has the name. A file's only model is 1."""
    of_name = [k for k, name in enumerate(names) if name == model]
    return of_name or [k for k, number in enumerate(numbers) if str(model) == str(1 if number is None else number)]


def _listed(names: Sequence[str], numbers: Sequence[int | None]) -> str:
    pairs = zip(names, numbers, strict=True)
    return listed(name if number is None else f"{name} ({number})" for name, number in pairs)


def complex_of(atoms: AtomTable, rule: Chains | ChainRule, name: str) -> tuple[Chains, Complex, CheckedChains]:
    """A model's chains, stated or found, the complex of them, and the domains of its antibody.

    Parameters
    ----------
    atoms : AtomTable
    rule : Chains or ChainRule
        What is stated of its chains.
    name : str
        For messages.

    Raises
    ------
    ModelError
        As in a run.
    """
    numbering = Numbering(SerialComm())
    chains = rule.stated() if isinstance(rule, ChainRule) and rule.is_stated else rule
    if isinstance(chains, Chains):
        complex_ = merge_chains(atoms, chains, name)
        numbering.number(sequence for sequence in (complex_.heavy, complex_.light, *complex_.antigen) if sequence)
        return chains, complex_, check_numbered(chains, complex_.heavy, complex_.light, complex_.antigen, numbering)
    sequences = chain_sequences(atoms)
    numbering.number(sequences.values())
    domains = {sequence: numbering[sequence] for sequence in sequences.values()}
    choice = find_chains(chains, sequences, domains, lambda: atoms)
    return choice.chains, merge_chains(atoms, choice.chains, name), choice.checked
