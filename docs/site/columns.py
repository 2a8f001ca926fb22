"""The page on what stands in a run's files: every dataset, column and key, from the tables by which they are written."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import chain

import numpy as np
from numpydoc.docscrape import ClassDoc

from stagea_mpi.graph import timing
from stagea_mpi.graph.features import EDGE_FEATURES, NODE_FEATURES, Feature
from stagea_mpi.graph.interface_graph import Edges, GraphArrays
from stagea_mpi.pipeline.finish_shard import FAILURE_COLUMNS, MANIFEST_COLUMNS
from stagea_mpi.report.results import MODEL_COLUMNS, SHARD_COLUMNS
from stagea_mpi.rundir.shard_meta import KEYS, ShardMeta, ShardResult
from stagea_mpi.storage import deeprank_writer
from stagea_mpi.storage.schema import CLUSTERS, COLUMNS, POINTERS, Column, root_attributes
from stagea_mpi.structure.residues import ATOM_TYPES, REGIONS, RESIDUE_TYPES
from stagea_mpi.telemetry import events, sampler

_ATTRIBUTES = {
    "schema": "What the file is.",
    "schema_version": "Of the columns; files of another version are refused.",
    "versions": "JSON: of all that computes.",
    "science_sha256": "Hash of all settings that the numbers depend on.",
    "inputs_sha256": "Hash of names and content of the inputs.",
    "stages": "Names of the stages in `model/seconds`.",
    "status": "What the codes of `model/status` stand for.",
}
_CLUSTERS = {
    "cluster/depth_0": "Label of each node's cluster, from 0 in each graph.",
    "cluster/depth_1": "Label of each depth-0 cluster's cluster.",
    "model/depth_1_ptr": "Row pointers into `cluster/depth_1`.",
}
#: Of graphs.h5, what is no feature.
_NO_FEATURES = {
    "nodes": "chain, residue number, residue, atom serial and atom name of each node, as text",
    "edges": "the two nodes of each edge, as in `nodes`",
    "edge_index": "the two nodes of each edge, as rows of `nodes`",
    "node_data/embedding": "0, for Stage B",
    "edge_data/type": "`interface`, or `internal`",
    "clustering/mcl/depth_0": "label of each node's cluster",
    "clustering/mcl/depth_1": "label of each depth-0 cluster's cluster",
}
_MANIFEST = {
    "label": "Name of the sequence: `mol.chain`.",
    "mol": "The model.",
    "chain": "Merged chain: A antibody, B antigen.",
    "length": "Residues of the sequence.",
    "sequence": "One letter a residue; position k is residue k of the graph.",
    "input_chains": "Chains of the input that were merged: heavy and light, or the antigen's.",
    "chosen": "How the chains were chosen, and what is odd about them.",
}
_FAILURES = {
    "model": "The model.",
    "source": "Path of the input file.",
    "stage": "Stage that failed.",
    "reason": "One of the [reasons](exit_codes.md#reasons-of-failed-models).",
    "message": "What was found, in one line.",
}
_META = {"stage": "Always `A`.", "checksum": "SHA-256 of the rest."}
_SAMPLES = {
    "cpu_total_pct": "CPU time of all CPUs, %.",
    "cpu_iowait_pct": "CPUs that wait for a disk, %.",
    "load1": "Processes that run or wait for a CPU or a disk, over 1 minute.",
    "load5": "The same over 5 minutes.",
    "load15": "The same over 15 minutes.",
    "mem_used_mib": "Memory in use, MiB.",
    "mem_avail_mib": "Memory that is left, MiB.",
    "swap_used_mib": "Swap in use, MiB.",
    "swap_free_mib": "Swap that is left, MiB.",
    "disk_read_MBps": "Read from the node's disks, MiB/s.",
    "disk_write_MBps": "Written to them, MiB/s.",
    "disk_read_iops": "Reads a second.",
    "disk_write_iops": "Writes a second.",
    "net_rx_MBps": "Received by the node's network devices, MiB/s.",
    "net_tx_MBps": "Sent by them, MiB/s.",
    "pid": "Process of a rank.",
    "proc_nprocs": "Processes: the rank and its children.",
    "proc_cpu_pct": "CPU time of all of them, % of one CPU.",
    "proc_rss_mib": "Memory that they hold, MiB; what they share counts for each.",
    "proc_vms_mib": "Address space, MiB.",
}
_MODELS = {
    "shard": "Number of the shard.",
    "model": "Name.",
    "status": "`ok`, or the reason for which it has no graph.",
    "n_atoms": "Atoms of the merged complex.",
    "n_nodes": "Nodes of the graph.",
    "n_edges": "Interface edges.",
    "launch": "Which start of the run built it.",
    "rank": "Rank in that start.",
    "node": "Its node.",
    "start": "When it began, seconds since 1970.",
    "seconds": "How long it took, s.",
}
_SHARDS = {
    "shard": "Number of the shard.",
    "state": "`waiting`, `building`, `graphs` (not clustered), `done`, `unmarked` (its marker is missing) or `damaged`.",
    "n_inputs": "Input files.",
    "n_models": "Models in them.",
    "n_ok": "Models with a graph.",
    "n_fail": "Models without one.",
    "prep_s": "Looking at the shard and its files, s.",
    "annotate_s": "Numbering, s.",
    "graphs_s": "Building and writing, s.",
    "cluster_s": "Clustering, s.",
    "wall_s": "From the shard's beginning to its end, s.",
    "graphs_bytes": "Size of graphs.h5; 0 where it is not to be written.",
    "stage": "Of a shard under way: what is being done.",
    "taken": "Of a shard under way: models that ranks have taken.",
    "host": "Of a shard under way: where.",
    "job_id": "Of a shard under way: in which job.",
    "updated": "Of a shard under way: last sign of life.",
}
_STAGES = {
    "read": "Reading, merging and labelling the chains, s.",
    "contacts": "Contacts and pairs within the chains, s.",
    "voronoi": "Contact areas, s.",
    "burial": "Buried areas, s.",
    "edges": "Features of the edges, s.",
}


def page() -> str:
    """The page."""
    return "\n".join(
        [
            "# Files and columns\n",
            "[Files of a run](../docs/files.md) says where each file is, and when it is there.\n",
            *_packed(),
            *_graphs(),
            "## manifest.tsv.gz\n",
            _described(MANIFEST_COLUMNS, _MANIFEST, "column"),
            "## failures.tsv\n",
            _described(FAILURE_COLUMNS, _FAILURES, "column"),
            *_meta(),
            *_telemetry(),
            "## Tables of stagea_mpi.report\n",
            "`load(run_root)` gives what a run has noted as tables; these are its `models` and `shards`. The models of "
            "`stagea_mpi.Run` have the columns that [its page](python.rst) tells.\n",
            "### models\n",
            _described(MODEL_COLUMNS, _MODELS | _STAGES, "column"),
            "### shards\n",
            _described(SHARD_COLUMNS, _SHARDS, "column"),
        ]
    )


def _packed() -> Iterable[str]:
    yield "## packed.h5\n"
    yield "### Attributes of the file\n"
    yield _described(root_attributes("", "", ""), _ATTRIBUTES, "attribute")
    yield "### Models\n"
    yield table(("dataset", "dtype, row", "meaning"), (_row(c) for c in COLUMNS if c.table == "model"))
    pointers = ((f"`{path}`", f"Row pointers into the columns of `{name}`, int64.") for name, path in POINTERS.items())
    yield table(("pointer", "meaning"), pointers)
    for name, heading in (("node", "Nodes"), ("edge", "Interface edges"), ("internal_edge", "Internal edges")):
        yield f"### {heading}\n"
        yield table(("dataset", "dtype, row", "meaning"), (_row(c) for c in COLUMNS if c.table == name))
    yield "### Clusters\n"
    yield _described(CLUSTERS, _CLUSTERS, "dataset")
    yield "### Codes\n"
    yield "What the values of these columns are positions in, from 0 on.\n"
    for name, codes in (("residue_type", RESIDUE_TYPES), ("atom_type", ATOM_TYPES), ("region", REGIONS)):
        yield f"`node/{name}`\n: {' '.join(codes)}\n"


def _row(column: Column) -> tuple[str, str, str]:
    dtype = re.sub(r"^S(\d*)$", lambda width: f"text, {width[1]} bytes" if width[1] else "text", column.dtype)
    shape = "".join(f" × {n}" for n in column.row)
    return f"`{column.path}`", dtype + shape, column.meaning + (f", {column.unit}" if column.unit else "")


def _graphs() -> Iterable[str]:
    """The datasets of a graph of n nodes, e interface edges and i internal ones, as they are written."""
    n, e, i = 1009, 2003, 3001  # which no row's own length is
    found = deeprank_writer.datasets(_empty_graph(n, e, i), (np.zeros(n, np.int32), np.zeros(1, np.int32)))
    lengths = {n: "n", 2 * e: "2e", 2 * i: "2i", 1: "1"}
    made_of = {f"node_data/{name}": ("node", f) for f in NODE_FEATURES for name in f.deeprank}
    made_of |= {f"edge_data/{name}": ("edge", f) for f in EDGE_FEATURES for name in f.deeprank}
    rows = []
    for path, values in found.items():
        shape = " × ".join([lengths[values.shape[0]] if path != "clustering/mcl/depth_1" else "c", *map(str, values.shape[1:])])
        rows.append((f"`{path}`", f"{shape}, {_dtype(values)}", _meaning(path, made_of)))
    yield "## graphs.h5\n"
    yield (
        "One group a model, under its name, with the datasets below and an empty group "
        f"`{deeprank_writer.EMPTY_GROUP}`, where Stage B adds its targets. n nodes, e interface edges and i internal ones, "
        "which stand both ways: row 2k is the k-th edge, row 2k + 1 its reverse; c depth-0 clusters.\n"
    )
    yield table(("dataset", "shape, dtype", "meaning"), rows)


def _empty_graph(n_nodes: int, n_edges: int, n_internal: int) -> GraphArrays:
    def zeros(features: Iterable[Feature], n: int) -> dict[str, np.ndarray]:
        return {f.name: np.zeros((n, *f.row), f.dtype) for f in features}

    parts = [Edges(**zeros(EDGE_FEATURES, n)) for n in (n_edges, n_internal)]
    return GraphArrays(**zeros(NODE_FEATURES, n_nodes), interface=parts[0], internal=parts[1])


def _dtype(values: np.ndarray) -> str:
    return "text" if values.dtype.kind == "S" else values.dtype.name


def _meaning(path: str, made_of: Mapping[str, tuple[str, Feature]]) -> str:
    of_both = path.removeprefix("internal_")
    if of_both not in made_of:
        return _NO_FEATURES[of_both]
    table_name, feature = made_of[of_both]
    if of_both != path and not feature.on_internal:
        return "0"
    unit = f", {feature.unit}" if feature.unit else ""
    return f"of `{path.partition('_data/')[0].replace('internal', 'internal_edge') if of_both != path else table_name}/{feature.name}`: {feature.meaning}{unit}"


def _meta() -> Iterable[str]:
    yield "## meta_stageA.json\n"
    yield _documented(ShardMeta)
    yield "Of these, `result` has:\n"
    yield _documented(ShardResult)


def _documented(kind: type) -> str:
    """The fields of a dataclass, as its docstring describes them, under the keys of the file."""
    described = {}
    for attribute in ClassDoc(kind)["Attributes"]:
        for name in attribute.name.split(", "):
            described[name] = attribute.type, " ".join(attribute.desc)
    names = [field.name for field in fields(kind) if field.name != "others"]
    rows = [(f"`{KEYS.get(name, name)}`", *described.get(name, ("", ""))) for name in names]
    return table(("key", "type", "meaning"), rows)


def _telemetry() -> Iterable[str]:
    yield "## Telemetry\n"
    yield "### Events\n"
    yield "A line of JSON each, in `telemetry/events_*.jsonl`; " + " ".join(events.__doc__.split("\n\n")[1].split()) + "\n"
    stages = {**_STAGES, **{name: _sentence(meaning) for name, meaning in events.STAGES.items()}}
    yield _described((*timing.STAGES, *events.STAGES), stages, "stage")
    yield "### Samples\n"
    yield (
        "A row every `metrics_interval` seconds, in `compute_metrics/`; each begins with `timestamp`, in ISO 8601. "
        "`cpu_percore_*.csv` has a column for each CPU.\n"
    )
    files = {
        "sys_metrics_*.csv": sampler.SYSTEM,
        "disk_io_*.csv": sampler.DISK,
        "net_io_*.csv": sampler.NETWORK,
        "proc_metrics_*.csv": sampler.PROCESS,
    }
    rows = chain.from_iterable(((f"`{name}`", f"`{file}`", _SAMPLES[name]) for name in names) for file, names in files.items())
    yield table(("column", "file", "meaning"), rows)


def _described(names: Iterable[str], meanings: Mapping[str, str], heading: str) -> str:
    return table((heading, "meaning"), ((f"`{name}`", meanings[name]) for name in names))


def _sentence(text: str) -> str:
    return re.sub(r"^\w", lambda first: first[0].upper(), text) + "."


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"
