"""The known complexes of a run, read and prepared once before its first shard, and which one each model has."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..antibody.chain_rules import ChainTable
from ..config.references import ReferenceTable, StatedReference
from ..config.run_config import RunConfig
from ..errors import ConfigError, ModelError, StageAError
from ..inputs import ModelRef, read_model
from ..mpi.communicator import Communicator
from ..mpi.guard import raise_on_any_rank, time_limit
from ..mpi.lasting import Lasting
from ..mpi.worker import WorkerProcess
from ..rundir.checksums import hash_of
from .beside import model_worker
from .comparison import Comparison
from .inventory import unexpected
from .one_model import chosen_model, complex_of
from .reference import Reference

#: How a comparison is made: where that changes, targets of before are no longer those of the same reference.
_METHOD = "DockQ 2, merged chains, 1"
#: Seconds that a reference may take, of which most are for the libraries to be loaded that number its chains.
_LONGEST_S = 300.0


@dataclass(frozen=True)
class References:
    """The references of a run.

    Attributes
    ----------
    table : ReferenceTable
    prepared : mapping of StatedReference to Reference
    """

    table: ReferenceTable
    prepared: Mapping[StatedReference, Reference]

    @cached_property
    def sha256(self) -> str:
        """Hash of what decides models' targets: the structures by content, wherever they lie, and whose they are."""
        rows = [[model, target, self.prepared[stated].key] for model, target, stated in self.table.rows]
        return hash_of([_METHOD, rows])

    def for_model(self, ref: ModelRef) -> Lasting | Comparison:
        """A model's reference as a worker process takes it, or why it has none."""
        stated = self.table.for_model(ref)
        if stated is None:
            return Comparison(problem=f"{self.table.path} has no row for {ref.name} or its target {ref.place.target}")
        reference = self.prepared[stated]
        return Lasting(reference.key, reference)


def reference_facts(references: References | None) -> dict[str, Any] | None:
    """What a shard's metadata say of what its models were compared with: its hash, and what was stated."""
    return None if references is None else {"sha256": references.sha256, "stated": references.table.as_dict()}


def prepare(comm: Communicator, table: ReferenceTable, worker: WorkerProcess | None = None) -> References:
    """Reads and numbers all references; collective, the ranks share them.

    Parameters
    ----------
    comm : communicator
    table : ReferenceTable
    worker : WorkerProcess, optional
        Where this rank reads them; one for this call alone by default.

    Raises
    ------
    ConfigError
        One cannot be used; on all ranks.
    """
    stated = list(table.stated)
    found: dict[StatedReference, Reference] = {}
    error: StageAError | None = None
    own = worker or model_worker()
    try:
        for one in stated[comm.rank :: comm.size]:
            found[one] = _read_or_say_why(own, one)
    except StageAError as problem:
        error = problem
    finally:
        if worker is None:
            own.stop()
    raise_on_any_rank(comm, error)
    everyones = {one: reference for part in comm.allgather(found) for one, reference in part.items()}
    return References(table, everyones)


def references_of(comm: Communicator, config: RunConfig, worker: WorkerProcess | None = None) -> References | None:
    """The references that a configuration states, prepared; collective. None where no model is compared.

    Raises
    ------
    ConfigError
        As `prepare`.
    """
    if config.reference is None or config.phase == "cluster_only":  # which compares nothing
        return None
    return prepare(comm, config.reference, worker)


def _read_or_say_why(worker: WorkerProcess, stated: StatedReference) -> Reference:
    name = stated.structure
    if not os.path.isfile(name):
        what = "is no file" if os.path.lexists(name) else "is not there"
        raise ConfigError(f"{stated.where}: {name} {what}; expected the structure of the known complex")
    try:
        return worker.call(_LONGEST_S, read_reference, stated)
    except ConfigError as error:  # of the models in the file
        raise ConfigError(f"{stated.where}: {error}") from error
    except ModelError as error:
        raise ConfigError(
            f"{stated.where}: {name} cannot be a reference: {error}; expected an antibody and its antigen: mend the "
            "file, or state its chains"
        ) from error


def read_reference(stated: StatedReference) -> Reference:
    """A reference from its file, by the functions that read models.

    Raises
    ------
    ModelError, ConfigError
    """
    name = stated.structure.name
    try:
        with time_limit(_LONGEST_S, name):
            ref = chosen_model(str(stated.structure), stated.model or None, "model")
            rule = stated.chains.for_model(ref) if isinstance(stated.chains, ChainTable) else stated.chains
            _, complex_, domains = complex_of(read_model(ref), rule, name)
            return Reference.of(complex_, domains, name if not stated.model else f"{name} ({stated.model})")
    except StageAError:
        raise
    except Exception as bug:
        raise unexpected(bug, name, "read") from bug
