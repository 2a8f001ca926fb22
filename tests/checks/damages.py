"""Damages of a finished run: what each does to its folder, and the words in which `verify` names it."""

import gzip
import json
import shutil
from pathlib import Path

import h5py

from stagea_mpi.rundir.checksums import checksummed
from stagea_mpi.rundir.records import record

#: The shard that is damaged; its models are one that has a graph and one that has failed.
SHARD = "shards/shard_000001"


def change_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)


def change_meta(path: Path, change) -> None:
    meta = json.loads(path.read_text())
    change(meta)
    path.write_text(json.dumps(checksummed(meta)))


def vouch_for(root: Path, name: str) -> None:
    """Makes the record fit a file that was changed: what is left to find is that files do not fit each other."""
    shard = root / SHARD
    change_meta(shard / "meta_stageA.json", lambda meta: meta["files"].update({name: record(shard / name)}))


def move_pointer(root: Path) -> None:
    with h5py.File(root / SHARD / "packed.h5", "r+") as file:
        pointer = file["model/node_ptr"][()]
        pointer[-1] -= 1
        file["model/node_ptr"][...] = pointer
    vouch_for(root, "packed.h5")


def point_beyond(root: Path) -> None:
    with h5py.File(root / SHARD / "packed.h5", "r+") as file:
        ends = file["edge/nodes"][()]
        ends[0, 1] = 10**6
        file["edge/nodes"][...] = ends
    vouch_for(root, "packed.h5")


def drop_model(root: Path) -> None:
    with h5py.File(root / SHARD / "graphs.h5", "r+") as file:
        del file["pose_0003"]
    vouch_for(root, "graphs.h5")


def rename_model(root: Path) -> None:
    with h5py.File(root / SHARD / "graphs.h5", "r+") as file:
        file.move("pose_0003", "pose_9999")
    vouch_for(root, "graphs.h5")


def move_atom(root: Path) -> None:
    with h5py.File(root / SHARD / "graphs.h5", "r+") as file:
        file["pose_0003/node_data/pos"][0, 0] += 1
    vouch_for(root, "graphs.h5")


def change_dataset(name: str, change):
    def damage(root: Path) -> None:
        with h5py.File(root / SHARD / "graphs.h5", "r+") as file:
            values = file[f"pose_0003/{name}"][()]
            file[f"pose_0003/{name}"][...] = change(values)
        vouch_for(root, "graphs.h5")

    return damage


def add_dataset(root: Path) -> None:
    with h5py.File(root / SHARD / "graphs.h5", "r+") as file:
        file["pose_0003/node_data/more"] = [1.0]
    vouch_for(root, "graphs.h5")


def rewrite_manifest(change):
    def damage(root: Path) -> None:
        path = root / SHARD / "manifest.tsv.gz"
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        path.write_bytes(gzip.compress(b"".join(change(lines))))
        vouch_for(root, "manifest.tsv.gz")

    return damage


def shift_sequence(lines: list[bytes]) -> list[bytes]:
    """The last chain's sequence, its first residue put behind its last."""
    cells = lines[-1].split(b"\t")
    cells[4] = cells[4][1:] + cells[4][:1]
    return [*lines[:-1], b"\t".join(cells)]


def take_another_shards(*names: str):
    def damage(root: Path) -> None:
        for name in names:
            shutil.copy(root / "shards/shard_000000" / name, root / SHARD / name)

    return damage


def replace_by_folder(name: str):
    def damage(root: Path) -> None:
        (root / name).unlink()
        (root / name).mkdir()

    return damage


def write_into(name: str, change):
    return lambda root: (root / name).write_text(change((root / name).read_text()))


def drop_failure(root: Path) -> None:
    path = root / SHARD / "failures.tsv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    vouch_for(root, "failures.tsv")


def miscount(root: Path) -> None:
    change_meta(root / SHARD / "meta_stageA.json", lambda meta: meta["result"].update(n_ok=7))


#: By name: words of what `verify` says, and what makes the damage in a run folder.
DAMAGES = {
    "packed.h5 changed": ("packed.h5", lambda root: change_byte(root / SHARD / "packed.h5")),
    "packed.h5 cut": ("packed.h5", lambda root: (root / SHARD / "packed.h5").write_bytes(b"\x89HDF\r\n")),
    "packed.h5 gone": ("packed.h5", lambda root: (root / SHARD / "packed.h5").unlink()),
    "packed.h5 with wrong pointers": ("node_ptr", move_pointer),
    "packed.h5 with edges to nowhere": ("edge/nodes points beyond", point_beyond),
    "graphs.h5 changed": ("graphs.h5", lambda root: change_byte(root / SHARD / "graphs.h5")),
    "graphs.h5 gone": ("graphs.h5", lambda root: (root / SHARD / "graphs.h5").unlink()),
    "graphs.h5 without a model": ("1 of 1 models are missing", drop_model),
    "graphs.h5 with another model": ("pose_9999", rename_model),
    "graphs.h5 with other numbers": ("pose_0003: node_data/pos", move_atom),
    "manifest changed": ("manifest.tsv.gz", lambda root: change_byte(root / SHARD / "manifest.tsv.gz")),
    "manifest gone": ("manifest.tsv.gz", lambda root: (root / SHARD / "manifest.tsv.gz").unlink()),
    "manifest without a row": ("1 of 2 rows are missing", rewrite_manifest(lambda lines: lines[:-1])),
    "manifest with a sequence that is shifted": ("pose_0003.B has ", rewrite_manifest(shift_sequence)),
    "graphs.h5 with other areas": (
        "pose_0003: edge_data/voro_area",
        change_dataset("edge_data/voro_area", lambda area: area + 1),
    ),
    "graphs.h5 with other residues": (
        "pose_0003: node_data/res_type",
        change_dataset("node_data/res_type", lambda hot: hot[:, ::-1]),
    ),
    "graphs.h5 with other clusters": (
        "pose_0003: clustering/mcl/depth_0",
        change_dataset("clustering/mcl/depth_0", lambda labels: labels + 1),
    ),
    "graphs.h5 with more than is asked for": ("not of this shard, the first 'node_data/more'", add_dataset),
    "graphs.h5 of another shard": ("graphs.h5: ", take_another_shards("graphs.h5")),
    "everything of another shard": (
        "shard_id is 'shard_000000', expected 'shard_000001'",
        take_another_shards("packed.h5", "graphs.h5", "manifest.tsv.gz", "failures.tsv", "meta_stageA.json"),
    ),
    "failures empty": ("failures.tsv", lambda root: (root / SHARD / "failures.tsv").write_text("")),
    "failures without a row": ("1 of 1 rows are missing", drop_failure),
    "meta cut": (
        "meta_stageA.json: is damaged",
        lambda root: (root / SHARD / "meta_stageA.json").write_text('{"stage"'),
    ),
    "meta changed": (
        "meta_stageA.json: is damaged",
        write_into(f"{SHARD}/meta_stageA.json", lambda text: text.replace('"num_cores": 1', '"num_cores": 2')),
    ),
    "meta gone": ("meta_stageA.json: is missing", lambda root: (root / SHARD / "meta_stageA.json").unlink()),
    "meta miscounts": ("result.n_ok is 7, packed.h5 has 1", miscount),
    "marker empty": ("STAGEA_DONE: is not as it was written", write_into(f"{SHARD}/STAGEA_DONE", lambda text: "")),
    "marker changed": (
        "STAGEA_GRAPHS_DONE: is not as it was written",
        write_into(f"{SHARD}/STAGEA_GRAPHS_DONE", lambda text: text.replace("2", "1", 1)),
    ),
    "marker of another shard": ("STAGEA_DONE: is not as it was written", take_another_shards("STAGEA_DONE")),
    "run.yaml changed": (
        "run.yaml: has been damaged or changed",
        write_into("run.yaml", lambda text: text.replace("max_failed_fraction: 0.5", "max_failed_fraction: 0.6")),
    ),
    "first marker gone": ("without STAGEA_GRAPHS_DONE", lambda root: (root / SHARD / "STAGEA_GRAPHS_DONE").unlink()),
    "a list of inputs cut": ("shard_lists", lambda root: (root / "shard_lists/shard_000001.lst").write_text("")),
    "a list of inputs gone": ("shard_000001.lst", lambda root: (root / "shard_lists/shard_000001.lst").unlink()),
    "parameters of the cut damaged": (
        "shards.params",
        lambda root: (root / "shard_lists/shards.params").write_text("{"),
    ),
    "parameters of the cut changed": (
        "shards.params: has been damaged or changed",
        write_into("shard_lists/shards.params", lambda text: text.replace('"min_per_shard": 1', '"min_per_shard": 2')),
    ),
    "cache with a line of something else": (
        "team_0000_0.jsonl: 1 lines",
        write_into("annotations/team_0000_0.jsonl", lambda text: text + "something else"),
    ),
    "cache changed": (
        "team_0000_0.jsonl: 1 lines",
        lambda root: [
            path.write_text(path.read_text().replace(",[1,", ",[2,", 1))
            for path in root.glob("annotations/*.jsonl")
        ],
    ),
}  # fmt: skip
