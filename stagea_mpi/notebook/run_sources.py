"""The structure of a run's model, read once more from the run's input, with the chains that the run has taken."""

import csv
import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

from ..antibody.complexes import Chains
from ..errors import ConfigError, ModelError, RunFolderError
from ..graph.interface_graph import GraphArrays
from ..inputs import ModelRef, RunNames, list_models, read_model
from ..pipeline.one_model import complex_of
from ..rundir.folders import RunFolder, ShardFolder
from ..rundir.sharding import read_params
from ..storage.packed_reader import reading
from .residues import ModelResidues, residues_of


@dataclass(frozen=True)
class InRun:
    """The shard of a run that has a graph (`residues.Origin`).

    Attributes
    ----------
    run_root : Path
    shard : int
    """

    run_root: Path
    shard: int

    def residues(self, graph: GraphArrays) -> ModelResidues:
        """The residues of the graph's structure, from the run's input.

        Raises
        ------
        RunFolderError
            A file of the run that tells where the model is cannot be read, or the input is missing or has changed.
        ModelError, LaunchError
            As `InterfaceGraph.in_structure`.
        """
        folder, name = RunFolder(self.run_root), graph.name
        shard = folder.shard(self.shard)
        atoms, chains = read_model(source_of(folder, self.shard, name)), chains_of(shard, name)
        try:
            _, _, checked = complex_of(atoms, chains, name)
            return residues_of(graph, atoms, chains, checked, name)
        except ConfigError as error:
            raise RunFolderError(f"{shard.packed}: {error}; run the shard again") from error


def source_of(folder: RunFolder, shard: int, name: str) -> ModelRef:
    """Where a model of a run is, once its file is known to be the one that the run has read.

    Raises
    ------
    RunFolderError
    """
    params = read_params(folder)
    if params is None:
        raise RunFolderError(
            f"{folder.params}: is missing, so where models are is not known; name the run_root of a run"
        )
    with reading(folder.shard(shard).packed) as packed:
        index = packed.names.index(name)
        path, digest = (packed.column(f"model/{column}")[index] for column in ("source", "digest"))
    path = path.decode("utf-8", errors="surrogateescape")
    try:
        listing = list_models(path, RunNames(params).of(path))
    except ModelError as failure:
        raise RunFolderError(f"{name}: its input can no longer be read: {failure}; put it back") from failure
    found = next((ref for ref in listing.models if ref.name == name), None)
    if found is None or listing.digest != digest.decode():
        raise RunFolderError(
            f"{path}: has changed since {name} was read from it; put the file back, or run the shard again"
        )
    return found


def chains_of(shard: ShardFolder, name: str) -> Chains:
    """Chains of a model, as the shard's manifest has them.

    Raises
    ------
    RunFolderError
    """
    try:
        with gzip.open(shard.manifest, "rt", encoding="utf-8", newline="\n") as file:
            table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            sides = {row["chain"]: row["input_chains"] for row in table if row["mol"] == name}
        return Chains.of_sides(sides["A"], sides["B"])
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError) as error:
        raise RunFolderError(
            f"{shard.manifest}: does not tell the chains of {name} ({error}); expected a row for each of its merged "
            "chains; `python -m stagea_mpi verify RUN_ROOT --repair` removes what is damaged, and a run fills it in"
        ) from error
