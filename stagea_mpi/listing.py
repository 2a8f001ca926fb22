"""What a shard holds: every model of its files with its chains and sequences, found by all ranks together."""

import logging
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from .annotation import Domain, find_domains
from .chains.finding import find_chains
from .chains.rules import ChainRule, ChainTable
from .complexes import Chains, chain_sequences, merge_chains
from .errors import LaunchError, ModelError
from .inputs import FileNames, ModelRef, list_models, read_model

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelEntry:
    """One model of a shard, or a file that gave none.

    Attributes
    ----------
    ref : ModelRef
    digest : str
        SHA-256 of the file's unpacked bytes, empty where it could not be read.
    n_atoms : int
        Atoms of the merged complex.
    sequences : tuple of str
        Of the merged chains A and B.
    heavy, light : str
        Of the antibody's chains in file order, from where they are numbered.
    chains : Chains or None
        Which chains these are.
    how : str
        How they were chosen, in a few words: ``stated``, ``found``, …
    failure : ModelError or None
        Why the model cannot be used.
    """

    ref: ModelRef
    digest: str = ""
    n_atoms: int = 0
    sequences: tuple[str, str] = ("", "")
    heavy: str = ""
    light: str = ""
    chains: Chains | None = None
    how: str = ""
    failure: ModelError | None = None


def list_shard(
    comm,
    files: list[tuple[str, FileNames]],
    chains: Chains | ChainRule | ChainTable,
    domains: dict[str, tuple[Domain, ...]] | None = None,
) -> list[ModelEntry]:
    """Models of some files, in the files' order; collective, the ranks share the reading.

    Parameters
    ----------
    comm : communicator
    files : list of (path, FileNames)
    chains : Chains, ChainRule or ChainTable
        What is stated of the models' chains.
    domains : dict, optional
        Variable domains by sequence that are known already; those found are added.

    Returns
    -------
    entries : list of ModelEntry
        Equal on all ranks. Of two models with one name the later one has failed.
    """
    listed = _shared(comm, files, lambda file: _list_file(*file))
    entries = _unique_names([entry for found in listed for entry in found])
    if not isinstance(chains, Chains):
        entries = _with_chains(comm, entries, chains, {} if domains is None else domains)
    return _shared(comm, entries, lambda entry: _attempt(entry, lambda: _with_sequences(entry, chains)))


def _shared(comm, items: list, work: Callable) -> list:
    """What `work` makes of each item, all on all ranks, each on one."""
    mine = {i: work(items[i]) for i in range(comm.rank, len(items), comm.size)}
    done = {i: result for part in comm.allgather(mine) for i, result in part.items()}
    return [done[i] for i in range(len(items))]


def unexpected(bug: Exception, name: str, stage: str) -> ModelError:
    """An error of our own as the failure of one model: it may not cost the others, and is told with all we know."""
    log.warning("%s: unexpected error\n%s", name, "".join(traceback.format_exception(bug)))
    place = traceback.extract_tb(bug.__traceback__)[-1]
    return ModelError("unexpected", f"{type(bug).__name__}: {bug} (in {place.name}, line {place.lineno})", stage)


def _attempt(entry: ModelEntry, work: Callable[[], ModelEntry]) -> ModelEntry:
    """The entry that `work` gives, or this one with its failure."""
    if entry.failure is not None:
        return entry
    try:
        return work()
    except ModelError as failure:
        return replace(entry, failure=failure)
    except LaunchError:
        raise
    except Exception as bug:
        return replace(entry, failure=unexpected(bug, entry.ref.name, "read"))


def _list_file(path: str, names: FileNames) -> list[ModelEntry]:
    try:
        listing = list_models(path, names)
    except ModelError as failure:
        return [ModelEntry(ModelRef(path, names.base), failure=failure)]
    except Exception as bug:
        return [ModelEntry(ModelRef(path, names.base), failure=unexpected(bug, names.base, "read"))]
    entries = [ModelEntry(ref, listing.digest) for ref in listing.models]
    return entries + [ModelEntry(ref, listing.digest, failure=failure) for ref, failure in listing.failures]


def _with_chains(comm, entries: list[ModelEntry], rule: ChainRule | ChainTable, domains: dict) -> list[ModelEntry]:
    """Entries with their chains, where these are not stated; the sequences of all are searched for domains at once."""
    inventories: dict[int, dict[str, str]] = {}

    def take_stock(index: int) -> ModelEntry:
        entry = entries[index]
        own = rule.for_model(entry.ref)
        if own.is_stated:
            return replace(entry, chains=own.stated(), how="stated in the table")
        inventories[index] = chain_sequences(read_model(entry.ref))
        return entry

    entries = _shared(comm, range(len(entries)), lambda index: _attempt(entries[index], lambda: take_stock(index)))
    _search(comm, [sequence for found in inventories.values() for sequence in found.values()], domains)

    def choose(index: int) -> ModelEntry:
        entry = entries[index]
        choice = find_chains(rule.for_model(entry.ref), inventories[index], domains, lambda: read_model(entry.ref))
        return replace(entry, chains=choice.chains, how=choice.how)

    return _shared(
        comm,
        range(len(entries)),
        lambda index: _attempt(entries[index], lambda: choose(index)) if index in inventories else entries[index],
    )


def _search(comm, sequences: list[str], domains: dict[str, tuple[Domain, ...]]) -> None:
    """Finds the domains of sequences that are not known yet; every rank searches its share of all."""
    wanted = comm.allgather([sequence for sequence in dict.fromkeys(sequences) if sequence not in domains])
    new = list(dict.fromkeys(sequence for part in wanted for sequence in part))
    mine = new[comm.rank :: comm.size]
    for part in comm.allgather(dict(zip(mine, find_domains(mine), strict=True))):
        domains.update(part)


def _with_sequences(entry: ModelEntry, chains: Chains | ChainRule | ChainTable) -> ModelEntry:
    if isinstance(chains, Chains):
        entry = replace(entry, chains=chains, how="stated")
    merged = merge_chains(read_model(entry.ref), entry.chains, entry.ref.name)
    return replace(entry, n_atoms=len(merged.chain), sequences=merged.sequences, heavy=merged.heavy, light=merged.light)


def _unique_names(entries: list[ModelEntry]) -> list[ModelEntry]:
    """A model's name is its key everywhere downstream; one that occurs again is kept apart by a number and refused."""
    taken = {entry.ref.name for entry in entries}
    seen: Counter[str] = Counter()
    result = []
    for entry in entries:
        name = entry.ref.name
        seen[name] += 1
        if seen[name] > 1:
            what = f"{entry.ref.source}: {name} is the name of an earlier model of the shard"
            while (other := f"{name}#{seen[name]}") in taken:
                seen[name] += 1
            failure = entry.failure or ModelError("duplicate_name", what, "read")
            entry = replace(entry, ref=replace(entry.ref, name=other), failure=failure)
        result.append(entry)
    return result
