"""The page on a run's files: every dataset, column and key in them, from the tables by which they are written."""

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields

import numpy as np
from numpydoc.docscrape import ClassDoc

from stagea_mpi.graph import timing
from stagea_mpi.graph.features import EDGE_FEATURES, NODE_FEATURES, Feature
from stagea_mpi.graph.interface_graph import Edges, GraphArrays
from stagea_mpi.pipeline.finish_shard import FAILURE_COLUMNS, MANIFEST_COLUMNS
from stagea_mpi.report.results import MODEL_COLUMNS, SHARD_COLUMNS
from stagea_mpi.rundir.checksums import checksummed
from stagea_mpi.rundir.shard_meta import KEYS, ShardMeta, ShardResult
from stagea_mpi.storage import deeprank_writer
from stagea_mpi.storage.schema import (
    B_FACTOR,
    CLUSTERS,
    COLUMNS,
    POINTERS,
    SCORE_PROBLEM,
    SCORE_TABLE,
    SCORES,
    TARGETS,
    Column,
    root_attributes,
)
from stagea_mpi.structure.residues import ATOM_TYPES, REGIONS, RESIDUE_TYPES
from stagea_mpi.telemetry import events, sampler

_ATTRIBUTES = {
    "schema": "what the file is",
    "schema_version": "of the columns; files of another version are refused",
    "versions": "JSON: of all that computes",
    "science_sha256": "hash of all settings that the numbers depend on",
    "reference_sha256": "hash of what models were compared with; only there with a reference",
    "inputs_sha256": "hash of names and content of the inputs",
    "stages": "names of the stages in `model/seconds`",
    "status": "what the codes of `model/status` stand for",
}
_CLUSTERS = {
    "cluster/depth_0": "label of each node's cluster, from 0 in each graph",
    "cluster/depth_1": "label of each depth-0 cluster's cluster",
    "model/depth_1_ptr": "row pointers into `cluster/depth_1`",
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
    "label": "name of the sequence: `mol.chain`",
    "mol": "the model",
    "chain": "merged chain: A antibody, B antigen",
    "length": "residues of the sequence",
    "sequence": "one letter a residue; position k is residue k of the graph",
    "input_chains": "chains of the input that were merged: heavy and light, or the antigen's",
    "chosen": "how the chains were chosen, and what is odd about them",
}
_FAILURES = {
    "model": "the model",
    "source": "the input file",
    "stage": "stage that failed",
    "reason": "one of the [reasons](exit_codes.md#reasons-of-failed-models)",
    "message": "what was found, in one line",
}
#: Of the metadata, what their class says nothing of.
_META = {
    "stage": ("str", "`A`."),
    "shard_id": ("str", "The shard's name."),
    "numerics_sha256": ("str", "Hash of `science`."),
}
#: Keys of the events beside those that the module tells: the stage, and what they hold.
_EVENT_KEYS = {
    "launch": ("start", "which start of the run, the same on all ranks"),
    "rank": ("start", "rank in it"),
    "size": ("start", "number of its ranks"),
    "team": ("start", "number of the rank's team"),
    "team_rank": ("start", "rank in the team"),
    "teams": ("start", "number of teams"),
    "host": ("start", "name that the machine gives itself"),
    "node": ("start", "name that Slurm gives it; without Slurm the host's"),
    "job": ("start", "Slurm's job, of an array the array's; `local` without Slurm"),
    "task": ("start", "the array's task, 0 without one"),
    "cpus": ("start", "CPUs that the rank may use"),
    "phase": ("start", "what the run does: `full`, `prep_graphs` or `cluster_only`"),
    "metrics_interval": ("start", "seconds between two samples"),
    "slurm": ("start", "what the job has asked Slurm for"),
    "files": ("list", "files that the rank has read"),
    "sequences": ("annotate", "sequences that it has numbered"),
    "on": ("wait", "for what: `lead`, `annotate`, `slowest`, `teams` or `end`"),
    "models": ("write", "models that it has written"),
    "wait_s": ("write", "seconds that it has waited for the others before"),
    "bytes": ("write, publish", "bytes that were written"),
    "processed": ("writer", "models of the shard that the rank has processed"),
    "written": ("writer", "graphs of these that are in the file"),
    "errors": ("writer", "models of these that failed"),
    "rate": ("writer", "models a second, since the line before"),
    "held": ("writer", "graphs that wait to be written"),
    "max_rss_mib": ("end", "memory that the rank has had at most, MiB"),
}
_SAMPLES = {
    "cpu_total_pct": "CPU time of all CPUs, %",
    "cpu_iowait_pct": "CPUs that wait for a disk, %",
    "load1": "processes that run or wait for a CPU or a disk, over 1 minute",
    "load5": "the same over 5 minutes",
    "load15": "the same over 15 minutes",
    "mem_used_mib": "memory in use, MiB",
    "mem_avail_mib": "memory that is left, MiB",
    "swap_used_mib": "swap in use, MiB",
    "swap_free_mib": "swap that is left, MiB",
    "disk_read_MBps": "read from the node's disks, MiB/s",
    "disk_write_MBps": "written to them, MiB/s",
    "disk_read_iops": "reads a second",
    "disk_write_iops": "writes a second",
    "net_rx_MBps": "received by the node's network devices, MiB/s",
    "net_tx_MBps": "sent by them, MiB/s",
    "pid": "process of a rank",
    "proc_nprocs": "processes: the rank and its children",
    "proc_cpu_pct": "CPU time of all of them, % of one CPU",
    "proc_rss_mib": "memory that they hold, MiB; what they share counts for each",
    "proc_vms_mib": "address space, MiB",
}
_MODELS = {
    "shard": "number of the shard",
    "model": "name",
    "status": "`ok`, or the reason for which it has no graph",
    "n_atoms": "atoms of the merged complex",
    "n_nodes": "nodes of the graph",
    "n_edges": "interface edges",
    "launch": "which start of the run built it",
    "rank": "rank in that start",
    "node": "its node",
    "start": "when it began, seconds since 1970",
    "seconds": "how long it took, s",
    "target": "what was predicted or docked",
}
_SHARDS = {
    "shard": "number of the shard",
    "state": "`waiting`, `building`, `graphs` (not clustered), `done`, `unmarked` (without its marker) or `damaged`",
    "n_inputs": "input files",
    "n_models": "models in them",
    "n_ok": "models with a graph",
    "n_fail": "models without one",
    "prep_s": "looking at the shard and its files, s",
    "annotate_s": "numbering, s",
    "graphs_s": "building and writing, s",
    "cluster_s": "clustering, s",
    "wall_s": "from the shard's beginning to its end, s",
    "graphs_bytes": "size of graphs.h5; 0 where it is not to be written",
    "stage": "of a shard under way: what is being done",
    "taken": "of a shard under way: models that ranks have taken",
    "host": "of a shard under way: where",
    "job_id": "of a shard under way: in which job",
    "updated": "of a shard under way: last sign of life",
}
_STAGES = {
    "read": "reading the file and merging the chains, s",
    "contacts": "labels of the CDRs, contacts, and pairs within the chains, s",
    "voronoi": "contact areas, s",
    "burial": "buried areas, s",
    "edges": "features of the edges, s",
    "scores": "what a program's files say of the model and what follows from that, and how near its reference is, s",
}
_TARGETS = {
    "dockq": "DockQ beside the model's reference, 0 to 1",
    "capri_class": "CAPRI's class beside it: 0 incorrect, 1 acceptable, 2 medium, 3 high",
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
            _described(MODEL_COLUMNS, _MODELS | _STAGES | SCORES | _TARGETS, "column"),
            "### shards\n",
            _described(SHARD_COLUMNS, _SHARDS, "column"),
        ]
    )


def _packed() -> Iterable[str]:
    yield "## packed.h5\n"
    yield "### Attributes of the file\n"
    yield _described(root_attributes("", "", "", "-"), _ATTRIBUTES, "attribute")
    yield "### Models\n"
    yield table(("dataset", "dtype, row", "meaning"), (_row(c) for c in COLUMNS if c.table == "model"))
    pointers = ((f"`{path}`", f"Row pointers into the columns of `{name}`, int64.") for name, path in POINTERS.items())
    yield table(("pointer", "meaning"), pointers)
    for name, heading in (("node", "Nodes"), ("edge", "Interface edges"), ("internal_edge", "Internal edges")):
        yield f"### {heading}\n"
        yield table(("dataset", "dtype, row", "meaning"), (_row(c) for c in COLUMNS if c.table == name))
    yield "### What not every file has\n"
    yield "Scores of models, float64 and NaN for none, where some model has one; others are there as `score_<name>`.\n"
    yield table(("dataset", "meaning"), ((f"`{SCORE_TABLE}/{name}`", meaning) for name, meaning in SCORES.items()))
    yield table(("dataset", "dtype, row", "meaning"), map(_row, (SCORE_PROBLEM, B_FACTOR)))
    yield "How near the models are to their [reference](../docs/targets.md), a row for each, where the run has one.\n"
    yield table(("dataset", "dtype, row", "meaning"), map(_row, TARGETS))
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
    n, e, i, c = 1009, 2003, 3001, 4001  # told apart by their lengths
    found = deeprank_writer.datasets(_empty_graph(n, e, i), (np.zeros(n, np.int32), np.zeros(c, np.int32)))
    lengths = {n: "n", 2 * e: "2e", 2 * i: "2i", c: "c"}
    rows = []
    for path, values in found.items():
        shape = " × ".join([lengths[len(values)], *map(str, values.shape[1:])])
        dtype = "text" if values.dtype.kind == "S" else values.dtype.name
        rows.append((f"`{path}`", f"{shape}, {dtype}", _in_graphs(path)))
    yield "## graphs.h5\n"
    yield (
        "One group a model, under its name, with the datasets below and a group "
        f"`{deeprank_writer.SCORE_GROUP}` with the [targets](../docs/targets.md#for-training) of a run that has a "
        "reference, empty in others. There are n nodes, e interface edges, i internal ones and c depth-0 clusters. "
        "Edges stand both ways: row 2k is the k-th, row 2k + 1 its reverse.\n"
    )
    yield table(("dataset", "shape, dtype", "meaning"), rows)


def _empty_graph(n_nodes: int, n_edges: int, n_internal: int) -> GraphArrays:
    def zeros(features: Iterable[Feature], n: int) -> dict[str, np.ndarray]:
        return {f.name: np.zeros((n, *f.row), f.dtype) for f in features}

    parts = [Edges(**zeros(EDGE_FEATURES, n)) for n in (n_edges, n_internal)]
    return GraphArrays(**zeros(NODE_FEATURES, n_nodes), interface=parts[0], internal=parts[1])


def _in_graphs(path: str) -> str:
    """What a dataset of graphs.h5 holds."""
    group, _, name = path.removeprefix("internal_").partition("_data/")
    features = {"node": NODE_FEATURES, "edge": EDGE_FEATURES}.get(group, ())
    made_of = next((feature for feature in features if name in feature.deeprank), None)
    if made_of is None:
        return _NO_FEATURES[path.removeprefix("internal_")]
    is_internal = path.startswith("internal_")
    if is_internal and not made_of.on_internal:
        return "0"
    unit = f", {made_of.unit}" if made_of.unit else ""
    return f"of `{'internal_' * is_internal}{group}/{made_of.name}`: {made_of.meaning}{unit}"


def _meta() -> Iterable[str]:
    (checksum,) = checksummed({})
    yield "## meta_stageA.json\n"
    yield _keys(ShardMeta, (checksum, "str", "SHA-256 of the rest."))
    yield "Of these, `result` has:\n"
    yield _keys(ShardResult)


def _keys(kind: type, *others: tuple[str, str, str]) -> str:
    """The fields of a dataclass, as its docstring describes them, under the keys of the file, and others."""
    described = dict(_META)
    for attribute in ClassDoc(kind)["Attributes"]:
        for name in attribute.name.split(", "):
            described[name] = attribute.type, " ".join(attribute.desc)
    names = [field.name for field in fields(kind) if field.name != "others"]
    rows = [(KEYS.get(name, name), *described[name]) for name in names] + list(others)
    return table(("key", "type", "meaning"), ((f"`{key}`", *told) for key, *told in rows))


def _telemetry() -> Iterable[str]:
    yield "## Telemetry\n"
    yield "### Events\n"
    yield f"In `telemetry/events_*.jsonl`. {_paragraph(events.__doc__, 1)}"
    yield _described(events.STAGES, events.STAGES, "stage")
    keys = ((f"`{key}`", f"`{stage}`", meaning) for key, (stage, meaning) in _EVENT_KEYS.items())
    yield table(("key", "stage", "meaning"), keys)
    yield "#### Lines of models\n"
    yield _paragraph(inspect.getdoc(events.ModelsLine), 0)
    yield _paragraph(inspect.getdoc(events.ModelsLine), 1)
    yield table(("key", "time of"), ((f"`{name}_us`", _STAGES[name].removesuffix(", s")) for name in timing.STAGES))
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
    rows = ((f"`{name}`", f"`{file}`", _SAMPLES[name]) for file, names in files.items() for name in names)
    yield table(("column", "file", "meaning"), rows)


def _described(names: Iterable[str], meanings: Mapping[str, str], heading: str) -> str:
    return table((heading, "meaning"), ((f"`{name}`", meanings[name]) for name in names))


def _paragraph(text: str, number: int) -> str:
    return " ".join(text.split("\n\n")[number].split()) + "\n"


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"
