"""What a shard holds: every model of its files with its sequences, found by all ranks together."""

from collections import Counter
from dataclasses import dataclass, replace

from .complexes import Chains, merge_chains
from .errors import ModelError
from .inputs import FileNames, ModelRef, list_models, read_model


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
        Of the antibody's chains in file order.
    failure : ModelError or None
        Why the model cannot be used.
    """

    ref: ModelRef
    digest: str = ""
    n_atoms: int = 0
    sequences: tuple[str, str] = ("", "")
    heavy: str = ""
    light: str = ""
    failure: ModelError | None = None


def list_shard(comm, files: list[tuple[str, FileNames]], chains: Chains) -> list[ModelEntry]:
    """Models of some files, in the files' order; collective, the ranks share the reading.

    Parameters
    ----------
    comm : communicator
    files : list of (path, FileNames)
    chains : Chains

    Returns
    -------
    entries : list of ModelEntry
        Equal on all ranks. Of two models with one name the later one has failed.
    """
    mine = {i: _list_file(*files[i]) for i in range(comm.rank, len(files), comm.size)}
    listed = _merge(comm.allgather(mine))
    entries = [entry for i in range(len(files)) for entry in listed[i]]
    mine = {i: _with_sequences(entries[i], chains) for i in range(comm.rank, len(entries), comm.size)}
    read = _merge(comm.allgather(mine))
    return _unique_names([read[i] for i in range(len(entries))])


def _list_file(path: str, names: FileNames) -> list[ModelEntry]:
    try:
        listing = list_models(path, names)
    except ModelError as failure:
        return [ModelEntry(ModelRef(path, names.base), failure=failure)]
    entries = [ModelEntry(ref, listing.digest) for ref in listing.models]
    return entries + [ModelEntry(ref, listing.digest, failure=failure) for ref, failure in listing.failures]


def _with_sequences(entry: ModelEntry, chains: Chains) -> ModelEntry:
    if entry.failure is not None:
        return entry
    try:
        merged = merge_chains(read_model(entry.ref), chains, entry.ref.name)
    except ModelError as failure:
        return replace(entry, failure=failure)
    return replace(
        entry, n_atoms=len(merged.chain), sequences=merged.sequences, heavy=merged.heavy, light=merged.light
    )


def _merge(parts: list[dict]) -> dict:
    return {key: value for part in parts for key, value in part.items()}


def _unique_names(entries: list[ModelEntry]) -> list[ModelEntry]:
    """A model's name is its key everywhere downstream; one that occurs again is kept apart by a number and refused."""
    seen: Counter[str] = Counter()
    result = []
    for entry in entries:
        name = entry.ref.name
        seen[name] += 1
        if seen[name] > 1:
            failure = ModelError("duplicate_name", f"{entry.ref.path}: {name} is the name of an earlier model of the shard", "read")
            entry = replace(entry, ref=replace(entry.ref, name=f"{name}#{seen[name]}"), failure=entry.failure or failure)
        result.append(entry)
    return result
