"""What a shard holds: every model of its files with its chains and sequences, found by all ranks together."""

import contextlib
import functools
import logging
import os
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..antibody.chain_checking import CheckedChains, check_numbered
from ..antibody.chain_finding import Choice, find_chains
from ..antibody.chain_rules import ChainRule, ChainTable
from ..antibody.complexes import Chains, chain_sequences, merge_chains
from ..errors import LaunchError, ModelError
from ..inputs import FileListing, FileNames, ModelRef, list_models, read_model
from ..inputs.unpacking import MAX_MODEL_BYTES
from ..mpi.communicator import Communicator
from ..mpi.guard import time_limit
from ..mpi.worker import InlineWorker, WorkerProcess
from .shared_numbering import Numbering

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
        Of the antibody's chains in file order, empty where there is none.
    antigen : tuple of str
        Of the antigen's chains in file order.
    chains : Chains or None
        Which chains these are.
    chain_source : str
        How they were chosen, in a few words: ``stated``, ``found``, …
    checked : CheckedChains or None
        The domains that are labelled; None before they are known (`with_domains`).
    failure : ModelError or None
        Why the model cannot be used.
    """

    ref: ModelRef
    digest: str = ""
    n_atoms: int = 0
    sequences: tuple[str, str] = ("", "")
    heavy: str = ""
    light: str = ""
    antigen: tuple[str, ...] = ()
    chains: Chains | None = None
    chain_source: str = ""
    checked: CheckedChains | None = None
    failure: ModelError | None = None

    @property
    def known_chains(self) -> Chains:
        """`chains`, where they must be known by now."""
        if self.chains is None:
            raise ValueError(f"{self.ref.name}: its chains are not known yet")
        return self.chains

    @property
    def known_domains(self) -> CheckedChains:
        """`checked`, where it must be known by now."""
        if self.checked is None:
            raise ValueError(f"{self.ref.name}: its domains are not known yet")
        return self.checked

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the chains."""
        return () if self.checked is None else self.checked.notes

    @property
    def chosen(self) -> str:
        """How the chains were chosen, and what is odd about them."""
        return "; ".join((self.chain_source, *self.notes))


def list_shard(
    comm: Communicator,
    files: list[tuple[str, FileNames]],
    chains: Chains | ChainRule | ChainTable,
    numbering: Numbering | None = None,
    timeout: float = 300.0,
    worker: WorkerProcess | InlineWorker | None = None,
) -> list[ModelEntry]:
    """Models of some files, in the files' order; collective, the ranks share the reading.

    Parameters
    ----------
    comm : communicator
    files : list of (path, FileNames)
    chains : Chains, ChainRule or ChainTable
        What is stated of the models' chains.
    numbering : Numbering, optional
        Numbers the sequences of chains that are to be found; one for this call alone by default.
    timeout : float
        Seconds that reading a model may take; a file of many may take that for every 32 MB.
    worker : WorkerProcess, optional
        Where this rank reads files; in this process without one.

    Returns
    -------
    entries : list of ModelEntry
        Equal on all ranks. Of two models with one name the later one has failed.
    """
    reader = _Reader(worker or InlineWorker(), timeout)
    stated = chains if isinstance(chains, Chains) else None
    by_file = _shared(comm, files, lambda file: _list_file(reader, file[0], file[1], stated))
    listed = [found for part in by_file for found in part]
    entries = _unique_names([entry for entry, _ in listed])
    if not isinstance(chains, Chains):
        entries = _with_chains(comm, reader, entries, chains, numbering or Numbering(comm))
    else:
        entries = [replace(entry, chains=chains, chain_source="stated") for entry in entries]
    return _shared(comm, range(len(entries)), lambda i: _with_sequences(reader, entries[i], listed[i][1]))


def _shared(comm: Communicator, items: Sequence, work: Callable) -> list:
    """What `work` makes of each item, all on all ranks, each on one."""
    mine = {i: work(items[i]) for i in range(comm.rank, len(items), comm.size)}
    done = {i: result for part in comm.allgather(mine) for i, result in part.items()}
    return [done[i] for i in range(len(items))]


def unexpected(bug: Exception, name: str, stage: str) -> ModelError:
    """An error of our own as the failure of one model: it may not cost the others, and is logged with all we know."""
    log.warning("%s: unexpected error\n%s", name, "".join(traceback.format_exception(bug)))
    place = traceback.extract_tb(bug.__traceback__)[-1]
    return ModelError("unexpected", f"{type(bug).__name__}: {bug} (in {place.name}, line {place.lineno})", stage)


#: Of a model the fields of its entry that are known once it has been read, or why it could not be; None: not read yet.
_Description = tuple[dict[str, Any] | None, ModelError | None] | None


class _Reader:
    """Reads files in a worker process, so that one which a library cannot take costs only itself."""

    def __init__(self, worker: WorkerProcess | InlineWorker, timeout: float):
        self._worker, self._timeout = worker, timeout

    def read(self, name: str, work: Callable, *args: Any, n_bytes: int = 0) -> tuple[Any, ModelError | None]:
        """What `work` makes of its arguments, or why it could not.

        Parameters
        ----------
        name : str
            The model or the file, for messages.
        work : callable
            Of a module's top level.
        *args
        n_bytes : int
            Size of a file of many models, which may take the longer.
        """
        limit = self._timeout * (1 + n_bytes // MAX_MODEL_BYTES)
        try:
            return self._worker.call(limit, _attempt, name, limit, work, *args)
        except ModelError as failure:  # of the worker process
            return None, ModelError(failure.reason, str(failure), "read")

    def list_file(
        self, path: str, names: FileNames, chains: Chains | None, n_bytes: int
    ) -> tuple[FileListing | None, ModelError | None, _Description]:
        """What a file holds, or why it could not be listed; where that is one model and its chains are known, also what
        is in it: most files have one model, and so are read in one call.
        """
        if chains is not None:
            limit = self._timeout * (1 + n_bytes // MAX_MODEL_BYTES)
            with contextlib.suppress(ModelError):  # of the worker process; in calls of their own it shows which it was
                return self._worker.call(
                    limit + self._timeout, _list_and_describe, path, names, chains, limit, self._timeout
                )
        return (*self.read(path, list_models, path, names, n_bytes=n_bytes), None)


def _list_and_describe(
    path: str, names: FileNames, chains: Chains, limit: float, model_limit: float
) -> tuple[FileListing | None, ModelError | None, _Description]:
    listing, failure = _attempt(path, limit, functools.partial(list_models, keep_text=True), path, names)
    if failure is not None or len(listing.models) != 1:
        return listing, failure, None
    entry, text = ModelEntry(listing.models[0], listing.digest, chains=chains), listing.text
    return replace(listing, text=None), None, _attempt(entry.ref.name, model_limit, _sequences, entry, text)


def _attempt(name: str, limit: float, work: Callable, *args: Any) -> tuple[Any, ModelError | None]:
    try:
        with time_limit(limit, name):
            return work(*args), None
    except ModelError as failure:
        return None, failure
    except LaunchError:
        raise
    except Exception as bug:
        return None, unexpected(bug, name, "read")


def _list_file(
    reader: _Reader, path: str, names: FileNames, chains: Chains | None
) -> list[tuple[ModelEntry, _Description]]:
    """Models of a file, and what has been read of each."""
    n_bytes = 0
    with contextlib.suppress(OSError):  # reported when it is opened
        n_bytes = os.stat(path).st_size
    listing, failure, description = reader.list_file(path, names, chains, n_bytes)
    if listing is None:
        ref = ModelRef(path, names.base, place=names.place, below=names.below)
        return [(ModelEntry(ref, failure=failure), None)]
    failed = [(ModelEntry(ref, listing.digest, failure=why), None) for ref, why in listing.failures]
    return [(ModelEntry(ref, listing.digest), description) for ref in listing.models] + failed


def _with_chains(
    comm: Communicator, reader: _Reader, entries: list[ModelEntry], rule: ChainRule | ChainTable, numbering: Numbering
) -> list[ModelEntry]:
    """Entries with their chains, where these are not stated; the sequences of all are searched for domains at once."""
    inventories: dict[int, dict[str, str]] = {}

    def take_stock(index: int) -> ModelEntry:
        entry = entries[index]
        if entry.failure is not None:
            return entry
        try:
            own = rule.for_model(entry.ref)
        except ModelError as unstated:
            return replace(entry, failure=unstated)
        if own.is_stated:
            return replace(entry, chains=own.stated(), chain_source="stated in the table")
        found, failure = reader.read(entry.ref.name, _inventory, entry.ref)
        if failure is not None:
            return replace(entry, failure=failure)
        inventories[index] = found
        return entry

    entries = _shared(comm, range(len(entries)), take_stock)
    found = comm.allgather([sequence for chains in inventories.values() for sequence in chains.values()])
    numbering.number(sequence for part in found for sequence in part)

    def choose(index: int) -> ModelEntry:
        entry = entries[index]
        if index not in inventories:
            return entry
        try:
            known = {sequence: numbering[sequence] for sequence in inventories[index].values()}
        except ModelError as unnumbered:
            return replace(entry, failure=ModelError(unnumbered.reason, str(unnumbered), "chains"))
        own = rule.for_model(entry.ref)
        choice, failure = reader.read(entry.ref.name, _choose, own, inventories[index], known, entry.ref)
        if failure is not None:
            return replace(entry, failure=failure)
        return replace(entry, chains=choice.chains, chain_source=choice.chain_source, checked=choice.checked)

    return _shared(comm, range(len(entries)), choose)


def _inventory(ref: ModelRef) -> dict[str, str]:
    return chain_sequences(read_model(ref))


def _choose(rule: ChainRule, sequences: dict[str, str], domains: dict, ref: ModelRef) -> Choice:
    return find_chains(rule, sequences, domains, lambda: read_model(ref))


def with_domains(entries: list[ModelEntry], numbering: Numbering) -> list[ModelEntry]:
    """Entries with the domains of stated chains, refused where these are not what they are said to be; collective."""
    stated = [entry for entry in entries if entry.failure is None and entry.checked is None]
    chains = [sequence for entry in stated for sequence in (entry.heavy, entry.light, *entry.antigen) if sequence]
    numbering.number(chains)
    is_stated = {entry.ref.name for entry in stated}
    return [_checked(entry, numbering) if entry.ref.name in is_stated else entry for entry in entries]


def _checked(entry: ModelEntry, numbering: Numbering) -> ModelEntry:
    try:
        checked = check_numbered(entry.known_chains, entry.heavy, entry.light, entry.antigen, numbering)
    except ModelError as failure:
        return replace(entry, failure=ModelError(failure.reason, str(failure), failure.stage or "annotate"))
    return replace(entry, checked=checked)


def _with_sequences(reader: _Reader, entry: ModelEntry, description: _Description) -> ModelEntry:
    if entry.failure is not None:
        return entry
    found, failure = description or reader.read(entry.ref.name, _sequences, entry)
    return replace(entry, failure=failure) if found is None else replace(entry, **found)


def _sequences(entry: ModelEntry, text: bytes | None = None) -> dict[str, Any]:
    merged = merge_chains(read_model(entry.ref, text), entry.known_chains, entry.ref.name)
    return {
        "n_atoms": len(merged.chain),
        "sequences": merged.sequences,
        "heavy": merged.heavy,
        "light": merged.light,
        "antigen": merged.antigen,
    }


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
