"""What packed.h5 holds: all graphs of a shard as columns over its models.

Models are in input order whatever rank built them, so the file's content does not depend on the number of ranks. Graph
k's nodes are rows `node_ptr[k]:node_ptr[k + 1]` of every `node` column, and likewise its edges. Each undirected edge
stands once. Columns of nodes and edges are those of `graph.features`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import REASONS
from ..graph.features import EDGE_FEATURES, NODE_FEATURES, Feature
from ..graph.left_out import NAMES_WIDTH
from ..graph.timing import STAGES

SCHEMA = "stagea_mpi.packed"
#: What is stored beside features has its version here; a feature that is new has the next one.
SCHEMA_VERSION = max(3, *(feature.since for feature in (*NODE_FEATURES, *EDGE_FEATURES)))

#: Codes of `/model/status`: 0 is a model with a graph, k > 0 one that failed for the k-th reason.
STATUS = ("ok", *REASONS)


#: How near models are to their references, where a run has some; a row for each model.
TARGET_TABLE = "target"


@dataclass(frozen=True)
class Column:
    """One dataset: its path, the dtype, the shape of a row, the unit, and what it holds."""

    path: str
    dtype: str
    row: tuple[int, ...]
    unit: str
    meaning: str

    @property
    def table(self) -> str:
        return self.path.split("/")[0]

    @property
    def rows_of(self) -> str:
        """The table whose rows it has: a target's are the models'."""
        return "model" if self.table == TARGET_TABLE else self.table

    @property
    def name(self) -> str:
        return self.path.partition("/")[2]


def _columns_of(table: str, features: Iterable[Feature]) -> list[Column]:
    return [Column(f"{table}/{f.name}", f.dtype, f.row, f.unit, f.meaning) for f in features]


#: Bytes of what is said of scores that could not be read.
PROBLEM_WIDTH = 600
#: Bytes of why a model could not be compared.
TARGET_PROBLEM_WIDTH = 400

#: Every dataset of the file but those of `SCORE_TABLE`, `SCORE_PROBLEM`, `B_FACTOR` and `TARGETS`; `S` columns are as
#: wide as their longest value.
COLUMNS = (
    Column("model/name", "S", (), "", "key of the model, as in graphs.h5 and the manifest (UTF-8)"),
    Column("model/source", "S", (), "", "input file (UTF-8)"),
    Column("model/target", "S", (), "", "what was predicted or docked, by the layout of the input folder (UTF-8)"),
    Column("model/seed", "i8", (), "", "seed of the program that made the model; -1: none, or none known"),
    Column("model/sample", "i8", (), "", "its number among the models of one seed; -1: none, or none known"),
    Column("model/digest", "S64", (), "", "SHA-256 of the unpacked input file"),
    Column("model/status", "u1", (), "", "0: has a graph; else a position in the attribute `status` of the file"),
    Column("model/n_atoms", "i4", (), "", "atoms of the merged complex, ATOM records only"),
    Column("model/rank", "i4", (), "", "rank of the team that built the graph"),
    Column("model/heavy_light_contacts", "i4", (), "", "Cα pairs under 8 Å of heavy and light chain; -1 without one"),
    Column(
        "model/vdw_outside", "f4", (), "", "share of interface edges with vdw outside quality.VDW_BOUNDS; -1: no graph"
    ),
    Column("model/low_heavy_light", "u1", (), "", "1: heavy_light_contacts is under 15"),
    Column("model/vdw_clash", "u1", (), "", "1: vdw_outside is over 0.05"),
    Column("model/heavy_type", "S1", (), "", "ANARCI's type of the heavy chain's labelled domain; -: it has none"),
    Column("model/light_type", "S1", (), "", "likewise of the light chain; empty: there is no light chain"),
    Column(
        "model/input_chains",
        "S",
        (),
        "",
        "its chains in the input (UTF-8): heavy, light, the antigen's, as H,L,A (`joined_names`); empty: not known",
    ),
    Column(
        "model/left_out",
        "i4",
        (),
        "",
        "residues and atoms of unknown name at the interface in no graph; -1: no graph at all",
    ),
    Column("model/left_out_names", f"S{NAMES_WIDTH}", (), "", "their names and counts, as SEP:2,ILE/CDX:1"),
    Column("model/modified_interface", "u1", (), "", "1: left_out is over 0"),
    Column("model/dropped_locations", "i4", (), "", "atoms that gave way to another location of them; -1: no graph"),
    Column(
        "model/seconds",
        "f4",
        (len(STAGES),),
        "s",
        "wall time by stage, in the order of the attribute `stages` of the file",
    ),
    *_columns_of("node", NODE_FEATURES),
    *_columns_of("edge", EDGE_FEATURES),
    *_columns_of("internal_edge", [feature for feature in EDGE_FEATURES if feature.on_internal]),
)
#: Scores of the models, float64, each a dataset under its name; NaN where a model has none. There are those that some
#: model of the shard has.
SCORE_TABLE = "model/score"
#: Where some model of the shard has such a problem.
SCORE_PROBLEM = Column(
    "model/score_problem",
    f"S{PROBLEM_WIDTH}",
    (),
    "",
    "which of the program's scores could not be read, and why (UTF-8; what does not fit is cut off)",
)
#: Those that are called alike whatever program they are of, and what they are; all others are `score_<name>`, in the
#: units of their program.
SCORES = {
    "ptm": "pTM of the model, 0 to 1",
    "iptm": "ipTM of the model, 0 to 1",
    "ranking_score": "by which its program ranks it, higher is better",
    "interface_plddt": "mean pLDDT of the residues in contact, 0 to 100",
    "interface_pae": "mean PAE of the pairs of residues in contact, both directions, Å",
    "h3_plddt": "mean pLDDT of CDR-H3, 0 to 100",
    "pdockq2": "pDockQ2 of the best pair of an antibody's and an antigen's chain, 0 to 1",
    "ipsae": "ipSAE of the best pair, 0 to 1",
    "lis": "LIS of the best pair, 0 to 1",
}
#: See `pipeline.comparison.Comparison`; docs/targets.md has the definitions.
TARGETS = (
    Column("target/dockq", "f8", (), "", "DockQ of merged antibody and merged antigen, 0 to 1; NaN: not compared"),
    Column("target/fnat", "f8", (), "", "share of the reference's contacts that the model has; NaN likewise"),
    Column("target/fnonnat", "f8", (), "", "share of the model's contacts that the reference lacks; NaN likewise"),
    Column("target/irmsd", "f8", (), "Å", "backbone RMSD of the interface; NaN likewise"),
    Column("target/lrmsd", "f8", (), "Å", "backbone RMSD of the smaller partner, the larger superposed; NaN likewise"),
    Column("target/capri_class", "i1", (), "", "CAPRI: 0 incorrect, 1 acceptable, 2 medium, 3 high; -1 likewise"),
    Column("target/h3_rmsd", "f8", (), "Å", "backbone RMSD of CDR-H3, the heavy framework superposed; NaN: unknown"),
    Column("target/problem", f"S{TARGET_PROBLEM_WIDTH}", (), "", "why the model could not be compared; empty: it was"),
)
#: In the file's root, where it has `TARGETS`: hash of what decides them.
REFERENCE_HASH = "reference_sha256"
#: Of nodes, where it is asked for (`stage_a.b_factors`).
B_FACTOR = Column(
    "node/b_factor", "f4", (), "Å²", "B factor as the file has it; of predicted models the pLDDT, 0 to 100"
)
#: Row pointers, int64, one more than there are models.
POINTERS = {"node": "model/node_ptr", "edge": "model/edge_ptr", "internal_edge": "model/internal_edge_ptr"}
#: Added by clustering: labels of nodes (rows of `node`), labels of depth-0 clusters, and the pointers into these.
CLUSTERS = ("cluster/depth_0", "cluster/depth_1", "model/depth_1_ptr")


def joined_names(names: Iterable[str]) -> str:
    r"""Names of chains in one text, with a backslash before a comma or a backslash of their own.

    >>> joined_names(["H", "L", "a,b"])
    'H,L,a\\,b'
    """
    return ",".join(name.replace("\\", "\\\\").replace(",", "\\,") for name in names)


def split_names(text: str) -> list[str]:
    r"""The names that `joined_names` has joined; of an empty text none.

    >>> split_names("H,L,a\\,b")
    ['H', 'L', 'a,b']
    """
    escaped = re.findall(r",((?:\\.|[^\\,])*)", f",{text}", re.DOTALL) if text else []
    return [re.sub(r"\\(.)", r"\1", name, flags=re.DOTALL) for name in escaped]


def root_attributes(versions: str, config_hash: str, input_hash: str, reference_hash: str = "") -> dict[str, str]:
    """Attributes of the file's root; `reference_hash` is empty where there is no reference."""
    return {
        "schema": SCHEMA,
        "schema_version": str(SCHEMA_VERSION),
        "versions": versions,
        "science_sha256": config_hash,
        "inputs_sha256": input_hash,
        "stages": " ".join(STAGES),
        "status": " ".join(STATUS),
        **({REFERENCE_HASH: reference_hash} if reference_hash else {}),
    }


def features_table() -> str:
    """The features in Markdown, as docs/files.md has them; `python -m stagea_mpi.storage.schema` prints it."""
    lines = ["| column of packed.h5 | dtype, row | unit | what it is | in graphs.h5 |", "|---|---|---|---|---|"]
    for table, group, features in (("node", "node_data", NODE_FEATURES), ("edge", "edge_data", EDGE_FEATURES)):
        for f in features:
            row = f" × {' × '.join(map(str, f.row))}" if f.row else ""
            where = "" if f.on_internal else " (0 and no column on internal edges)"
            spelled = " ".join(f"`{group}/{name}`" for name in f.deeprank)
            lines.append(f"| `{table}/{f.name}` | {f.dtype}{row} | {f.unit} | {f.meaning}{where} | {spelled} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(features_table())
