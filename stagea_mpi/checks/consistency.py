"""Whether the published files of a shard tell one story: packed.h5, graphs.h5, manifest, failures and metadata."""

import csv
import gzip
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ..errors import RunFolderError
from ..pipeline.finish_shard import FAILURE_COLUMNS, MANIFEST_COLUMNS, scores_of
from ..rundir.folders import ShardFolder, table_cell
from ..rundir.records import input_hash
from ..rundir.shard_meta import ShardMeta
from ..storage.deeprank_writer import SCORE_GROUP, Scores, datasets
from ..storage.packed_reader import PackedFile
from ..storage.schema import CLUSTERS, COLUMNS, POINTERS, STATUS, TARGETS
from ..structure.residues import RESIDUE_TYPES, one_letter

#: Columns of packed.h5 that are numbers everywhere.
_FINITE = [column.path for column in COLUMNS if column.table in POINTERS and column.dtype.startswith("f")]
#: By residue type.
_LETTERS = np.array([one_letter(name) for name in RESIDUE_TYPES])
#: What HDF5, gzip and text raise of damaged content.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, IndexError, EOFError, TypeError, zlib.error, RunFolderError)


@dataclass(frozen=True)
class Extent:
    """How far files are compared with each other.

    Attributes
    ----------
    lists_are_right : bool
        Whether the run's lists of inputs are whole, so that a shard can be measured by its list.
    deep : bool
        Whether every dataset of graphs.h5 is made again from packed.h5, not its models' names alone: that takes as long
        as writing it, and finds what a recorded SHA-256 does not, graphs that were wrong when it was recorded.
    """

    lists_are_right: bool
    deep: bool = False


def inconsistencies(
    shard: ShardFolder, meta: ShardMeta, extent: Extent, damaged: Container[Path] = ()
) -> Iterator[tuple[Path, str]]:
    """What does not fit together in a shard whose packed.h5 is whole.

    Parameters
    ----------
    shard : ShardFolder
    meta : ShardMeta
        Its metadata.
    extent : Extent
    damaged : container of Path
        Files that are not looked into: HDF5 may take the process with it when it reads what somebody has changed.

    Yields
    ------
    path : Path
        The file at fault: the one that does not fit packed.h5, from which all others follow.
    problem : str
    """
    try:
        packed = PackedFile(shard.packed)
    except _DAMAGE as error:
        yield shard.packed, str(error)
        return
    with packed:
        try:
            problem = next(_check_packed(packed), None)
        except _DAMAGE as error:
            problem = f"cannot be read: {' '.join(str(error).split())}"
        if problem:  # and then nothing can be measured by it
            yield shard.packed, f"{shard.packed}: {problem}"
            return
        if extent.lists_are_right:
            yield from ((shard.meta, f"{shard.meta}: {problem}") for problem in _check_inputs(shard, packed, meta))
        for path, check in (
            (shard.meta, _check_meta),
            (shard.failures, _check_failures),
            (shard.manifest, _check_manifest),
            (shard.graphs, _check_graphs if extent.deep else _check_names_of_graphs),
        ):
            if path in damaged or not path.exists():
                continue
            try:
                yield from ((path, f"{path}: {problem}") for problem in check(path, packed, meta))
            except _DAMAGE as error:
                yield path, f"{path}: cannot be read: {' '.join(str(error).split())}"


def _check_packed(packed: PackedFile) -> Iterator[str]:
    packed.check()
    names, codes = packed.names, packed.column("model/status")
    if len(set(names)) != len(names):
        yield f"of its {len(names)} models {len(names) - len(set(names))} have the name of another"
    if codes.max(initial=0) >= len(STATUS):
        yield f"model/status is {codes.max()} somewhere, expected less than {len(STATUS)}"
    length = np.diff(packed.column(POINTERS["node"]))
    unlike = np.flatnonzero((length > 0) != (codes == 0))
    if len(unlike):
        yield f"the model {names[unlike[0]]} has no graph, or has failed and has one"
    for table in ("edge", "internal_edge"):
        ends = packed.column(f"{table}/nodes")
        limit = np.repeat(length, np.diff(packed.column(POINTERS[table])))
        if ((ends < 0) | (ends >= limit[:, None])).any():
            yield f"{table}/nodes points beyond the nodes of its graph"
    for path in _FINITE:
        if not np.isfinite(packed.column(path)).all():
            yield f"{path} is not finite everywhere"
    if packed.is_clustered:
        yield from _check_clusters(packed)
    if packed.targets:
        yield from _check_targets(packed)


def _check_targets(packed: PackedFile) -> Iterator[str]:
    """Whether each model either has been compared or has a reason why not, and numbers are what they can be."""
    found = packed.targets
    yield from _difference("columns of target", sorted(found), sorted(column.name for column in TARGETS))
    is_known, has_problem = ~np.isnan(found["dockq"]), found["problem"] != b""
    for name in ("fnat", "fnonnat", "irmsd", "lrmsd"):
        if (np.isnan(found[name]) == is_known).any():
            yield f"target/{name} and target/dockq are not of the same models"
    for name in ("dockq", "fnat", "fnonnat"):
        if ((found[name] < 0) | (found[name] > 1)).any():
            yield f"target/{name} is not between 0 and 1 everywhere"
    if (is_known == has_problem).any():
        yield "target/problem is not of the models that have no target/dockq"
    if ((found["capri_class"] >= 0) != is_known).any() or found["capri_class"].max(initial=-1) > 3:
        yield "target/capri_class is not from 0 to 3 where target/dockq is known, and -1 elsewhere"


def _check_clusters(packed: PackedFile) -> Iterator[str]:
    depth_0, depth_1, pointer = (packed.column(path) for path in CLUSTERS)
    nodes = packed.column(POINTERS["node"])
    if len(depth_0) != nodes[-1] or len(pointer) != len(nodes) or pointer[0] != 0 or pointer[-1] != len(depth_1):
        yield f"{', '.join(CLUSTERS)} do not fit the nodes"
    elif (np.diff(pointer) < 0).any():
        yield f"{CLUSTERS[2]} does not ascend"
    elif ((depth_0 < 0) | (depth_0 >= np.repeat(np.diff(pointer), np.diff(nodes)))).any():
        yield f"{CLUSTERS[0]} has labels that {CLUSTERS[1]} does not know"


def _check_inputs(shard: ShardFolder, packed: PackedFile, meta: ShardMeta) -> Iterator[str]:
    """Whether the graphs are those of the files that the shard is to hold."""
    listed = shard.inputs()
    if meta.result.n_inputs != len(listed):
        yield f"n_inputs is {meta.result.n_inputs!r}, {shard.list_path} has {len(listed)} lines"
    yield from _difference("input files", sorted(set(_sources(packed))), sorted(set(listed)))


def _sources(packed: PackedFile) -> list[str]:
    return [source.decode("utf-8", "surrogateescape") for source in packed.column("model/source").tolist()]


def _check_meta(path: Path, packed: PackedFile, meta: ShardMeta) -> Iterator[str]:
    n_ok = packed.statuses.count("ok")
    n_unscored = sum(map(bool, packed.score_problems))
    counts = {"n_models": len(packed.statuses), "n_ok": n_ok, "n_fail": len(packed.statuses) - n_ok}
    counts |= {"n_unscored": n_unscored}
    for key, expected in counts.items():
        if getattr(meta.result, key) != expected:
            yield f"result.{key} is {getattr(meta.result, key)!r}, packed.h5 has {expected}"
    digests = [digest.decode() for digest in packed.column("model/digest").tolist()]
    if input_hash(_sources(packed), packed.names, digests) != packed.attributes.get("inputs_sha256"):
        yield "inputs_sha256 is not that of the sources, names and digests in packed.h5"
    for key, known in (("science_sha256", meta.numerics_sha256), ("inputs_sha256", meta.inputs_sha256)):
        if known != packed.attributes.get(key):
            yield f"{key} is {known!r}, that of packed.h5 is {packed.attributes.get(key)!r}"
    if (meta.reference or {}).get("sha256", "") != packed.reference_sha256:
        yield f"reference is {meta.reference!r}, that of packed.h5 has the hash {packed.reference_sha256!r}"
    if bool(meta.do_cluster) != packed.is_clustered:
        found = "clusters" if packed.is_clustered else "no clusters"
        yield f"do_cluster is {meta.do_cluster!r}, but packed.h5 has {found}"


def _check_failures(path: Path, packed: PackedFile, meta: ShardMeta) -> Iterator[str]:
    header, *rows = _rows(path.read_bytes())
    if header != list(FAILURE_COLUMNS):
        yield f"its header is {header}, expected {list(FAILURE_COLUMNS)}"
        return
    found = [(row[0], row[3]) for row in rows if len(row) == len(FAILURE_COLUMNS)]
    cells = (table_cell(name) for name in packed.names)
    expected = [(name, status) for name, status in zip(cells, packed.statuses, strict=True) if status != "ok"]
    if len(found) != len(rows):
        yield f"{len(rows) - len(found)} rows have not {len(FAILURE_COLUMNS)} cells"
    yield from _difference("rows", found, expected)


def _check_manifest(path: Path, packed: PackedFile, meta: ShardMeta) -> Iterator[str]:
    header, *rows = _rows(gzip.decompress(path.read_bytes()))
    if header != list(MANIFEST_COLUMNS):
        yield f"its header is {header}, expected {list(MANIFEST_COLUMNS)}"
        return
    width = len(MANIFEST_COLUMNS)
    bad = [row for row in rows if len(row) != width or row[3] != str(len(row[4])) or row[0] != f"{row[1]}.{row[2]}"]
    if bad:
        yield f"the row of {bad[0][0]} does not fit itself: length and name"
        return
    n_noted = len({row[1] for row in rows if "; " in row[-1]})
    if meta.result.n_noted != n_noted:
        yield f"result.n_noted is {meta.result.n_noted!r}, `chosen` has notes on {n_noted} models"
    expected = [(table_cell(name), chain) for name in _with_graph(packed) for chain in "AB"]
    yield from _difference("rows", [(row[1], row[2]) for row in rows], expected)
    sequences = {(row[1], row[2]): row[4] for row in rows}
    names = packed.names
    for index, nodes in packed.nodes(("chain", "residue_number", "residue_type")):
        name = table_cell(names[index])
        for code, letter in enumerate("AB"):
            yield from _check_sequence(f"{name}.{letter}", sequences.get((name, letter)), nodes, code)


def _check_sequence(label: str, sequence: str | None, nodes: dict[str, np.ndarray], chain: int) -> Iterator[str]:
    """Whether the residues of a graph stand in their chain's sequence: Stage B finds their embeddings by it."""
    is_here = nodes["chain"] == chain
    numbers, letters = nodes["residue_number"][is_here], _LETTERS[nodes["residue_type"][is_here]]
    if sequence is None or not len(numbers):
        return
    if numbers.min() < 1 or numbers.max() > len(sequence):
        yield f"{label} has {len(sequence)} residues, its graph has the residues {numbers.min()} to {numbers.max()}"
        return
    stated = np.frombuffer(sequence.encode("utf-32-le", "surrogatepass"), "<U1")[numbers - 1]
    if (stated != letters).any():
        at = int(np.argmax(stated != letters))
        yield f"{label} has {stated[at]} as residue {numbers[at]}, its graph has {letters[at]}"


def _check_names_of_graphs(path: Path, packed: PackedFile, meta: ShardMeta) -> Iterator[str]:
    with h5py.File(path, "r") as file:
        yield from _difference("models", sorted(file), sorted(_with_graph(packed)))


def _check_graphs(path: Path, packed: PackedFile, meta: ShardMeta) -> Iterator[str]:
    yield from _check_names_of_graphs(path, packed, meta)
    with h5py.File(path, "r") as file:
        expected, scores = _with_graph(packed), scores_of(packed)
        for name in sorted(expected.keys() & set(file)):
            problems = _check_graph(file[name], packed, expected[name], scores.get(name, {}))
            try:
                yield from (f"{name}: {problem}" for problem in problems)
            except _DAMAGE as error:
                yield f"{name}: cannot be read: {' '.join(str(error).split())}"


def _check_graph(group: h5py.Group, packed: PackedFile, index: int, scores: Scores) -> Iterator[str]:
    expected = datasets(packed.graph(index), packed.clusters(index) if packed.is_clustered else None) | dict(scores)
    found: dict[str, h5py.Dataset] = {}
    group.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    yield from _difference("datasets", sorted(found), sorted(expected))
    if not isinstance(group.get(SCORE_GROUP), h5py.Group):
        yield f"the group {SCORE_GROUP} is missing"
    for name in (name for name in expected if name in found):
        if found[name].shape != expected[name].shape:
            yield f"{name} has the shape {found[name].shape}, by packed.h5 it is {expected[name].shape}"
        elif not np.array_equal(found[name][()], expected[name]):
            yield f"{name} is not what packed.h5 has"


def _with_graph(packed: PackedFile) -> dict[str, int]:
    """Index by name of the models that have a graph."""
    models = enumerate(zip(packed.names, packed.statuses, strict=True))
    return {name: index for index, (name, status) in models if status == "ok"}


def _rows(content: bytes) -> list[list[str]]:
    text = content.decode("utf-8", "surrogateescape")
    return list(csv.reader(text.split("\n")[:-1], delimiter="\t", quoting=csv.QUOTE_NONE)) or [[]]


def _difference(what: str, found: list, expected: list) -> Iterator[str]:
    if found == expected:
        return
    missing, extra = [x for x in expected if x not in set(found)], [x for x in found if x not in set(expected)]
    if missing:
        yield f"{len(missing)} of {len(expected)} {what} are missing, the first {missing[0]!r}"
    if extra:
        yield f"{len(extra)} {what} are not of this shard, the first {extra[0]!r}"
    if not missing and not extra:
        yield f"the {what} are repeated or in another order: {len(found)}, expected {len(expected)}"
