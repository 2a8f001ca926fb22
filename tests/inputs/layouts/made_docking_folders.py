"""Output folders of docking and design programs, a few models each: made to the schemas below, not by the programs.

| program | what the files are made after |
|---|---|
| RFantibody | its `util/quiver.py` (Quiver), `rf2/modules/pose_util.py` (SCORE lines) and `rfdiffusion_inference.py` |
| RFdiffusion | file names in its README; RFdiffusion3 by `rfd3/engine.py` and the metrics that its tutorials print |
| HADDOCK3 | its `libontology.py` (io.json by jsonpickle), `libcapri.py`, `seletopclusts.py`, `print_coorheader.cns` |
| LightDock | its `util/analysis.py` and `bin/lgd_*.py` |
| ZDOCK | https://zdock.wenglab.org/zdock_output_format.php |
| ClusPro | names of the files that its server gives, and columns of its tables of scores |

Coordinates are those of the shipped Fab's Fv with its antigen moved away from it, a little further in each model.
"""

import functools
import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path

from made import cif_of, fv_lines, moved


@dataclass
class MadeFolder:
    """What lies in a folder that has been made.

    Attributes
    ----------
    names : dict of str to str
        What each model is called, by its path.
    targets : dict of str to str
    scores : dict of str to dict of str to float
        What the program's files say of each.
    files : dict of str to list of str
        The files in which scores stand, each with the models of which it alone tells.
    in_text : dict of str to dict of str to float
        By the model's name, what stands in its own text.
    """

    names: dict[str, str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    in_text: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, path: str, target: str, name: str, scores: dict[str, float]) -> None:
        self.names[path], self.targets[path], self.scores[path] = name, target, scores


def pose(number: int, head: str = "", tail: str = "") -> bytes:
    """A model's text."""
    return (head + _atoms(number) + "TER\n" + tail + "END\n").encode()


@functools.cache
def _atoms(number: int) -> str:
    shift = (0.25 * number, 0.0, 0.0)
    return "".join(f"{moved(line, shift) if line[21] == 'A' else line}\n" for line in fv_lines())


def put(root: Path, path: str, content: bytes | str) -> None:
    """Writes a file, packed where its name says so."""
    content = content.encode() if isinstance(content, str) else content
    whole = root / path
    whole.parent.mkdir(parents=True, exist_ok=True)
    whole.write_bytes(gzip.compress(content, 1) if path.endswith(".gz") else content)


def rfantibody(root: Path) -> MadeFolder:
    """Backbones in a Quiver file, their trajectory, what RF2 has made of two of them, and others in PDB."""
    made = MadeFolder()
    labels = "REMARK PDBinfo-LABEL:   26 H1\nREMARK PDBinfo-LABEL:   27 H1\n"
    quiver = b""
    for k, (nearest, average) in enumerate([(7.16, 7.27), (6.18, 6.46)]):
        quiver += f"QV_TAG samples_design_{k}\n".encode()
        quiver += f"QV_SCORE samples_design_{k} mindist={nearest}|averagemin={average}\n".encode()
        quiver += pose(k, tail=labels).removesuffix(b"END\n") + b"\n"
        made.in_text[f"samples_design_{k}"] = {"score_mindist": nearest, "score_averagemin": average}
    put(root, "nb_ha/1_rfdiffusion.qv", quiver)
    made.add("nb_ha/1_rfdiffusion.qv", "nb_ha__1_rfdiffusion", "1_rfdiffusion", {})
    frames = b"".join(b"QV_TAG samples_design_%d_pX0\n" % k + pose(k) + b"\n" for k in range(2))
    put(root, "nb_ha/1_rfdiffusion_pX0_traj.qv", frames)
    for k, (pae, lddt) in enumerate([(19.38, 0.89), (8.29, 0.94)]):
        name = f"samples_design_{k}_dldesign_0_best"
        said = f"SCORE interaction_pae: {pae}\nSCORE pred_lddt: {lddt}\nSCORE framework_aligned_H3_rmsd: nan\n"
        put(root, f"nb_ha/rf2/{name}.pdb", pose(k, tail=labels + said))
        made.add(f"nb_ha/rf2/{name}.pdb", "nb_ha__rf2__samples_design", name, {})
        made.in_text[name] = {"score_interaction_pae": pae, "score_pred_lddt": lddt}
    put(root, "nb_ha/rf2/samples_design_1_dldesign_0_cycle_0.pdb", pose(1, tail=labels))
    for name in ("ab_des_0", "ab_des_0_dldesign_1"):
        put(root, f"ab/{name}.pdb", pose(2, tail=labels))
        made.add(f"ab/{name}.pdb", "ab__ab_des", name, {})
    return made


def rfdiffusion(root: Path) -> MadeFolder:
    """Designs with their trajectories, and those of RFdiffusion3 in mmCIF with metrics."""
    made = MadeFolder()
    for k in range(2):
        put(root, f"ppi/design_ppi_{k}.pdb", pose(k))
        put(root, f"ppi/design_ppi_{k}.trb", b"\x80\x04\x95cnot opened")
        put(root, f"ppi/traj/design_ppi_{k}_pX0_traj.pdb", pose(k))
        made.add(f"ppi/design_ppi_{k}.pdb", "ppi__design_ppi", f"design_ppi_{k}", {})
        stem = f"rfd3/binder_insulinr_0_model_{k}"
        put(root, f"{stem}.cif.gz", cif_of(pose(k).decode().splitlines()[:-2]))
        metrics = {"join_point_rmsd_by_token": {"A108": 0.17}, "n_chainbreaks": k, "insertion.mae": 0.498 + k,
                   "radius_of_gyration": 15.2 + k, "diffused_com": [1.0, 2.0, 3.0]}  # fmt: skip
        put(root, f"{stem}.json", json.dumps({"metrics": metrics, "ckpt_path": "rfd3.ckpt", "seed": 7}, indent=4))
        scores = {"n_chainbreaks": k, "insertion_mae": 0.498 + k, "radius_of_gyration": 15.2 + k}
        made.add(f"{stem}.cif.gz", "rfd3__binder_insulinr", f"binder_insulinr_0_model_{k}", _named(scores))
        made.files[f"{stem}.json"] = [f"{stem}.cif.gz"]
    put(root, "rfd3/binder_insulinr_0_noisy_model_0.cif.gz", b"data_x\n")
    return made


_ENERGIES = "total,bonds,angles,improper,dihe,vdw,elec,air,cdih,coup,rdcs,vean,dani,xpcs,rg".split(",")
_CAPRI = ("model md5 caprieval_rank score irmsd fnat lrmsd ilrmsd dockq cluster_id cluster_ranking "
          "model-cluster_ranking desolv elec vdw").split()  # fmt: skip


def haddock3(root: Path, runs: tuple[str, ...] = ("7CFN/run1", "8ABC/run1")) -> MadeFolder:
    """Runs of rigid docking, a selection, refinement, clustering, and what is told of the models."""
    made = MadeFolder()
    for run in runs:
        for chain in ("H", "A"):
            put(root, f"{run}/data/0_topoaa/{chain}.pdb", pose(0))
            put(root, f"{run}/0_topoaa/{chain}_haddock.pdb.gz", pose(0))
        docked = [_haddock_model("1_rigidbody", f"rigidbody_{k}.pdb", -20.0 - k) for k in range(1, 5)]
        for k, model in enumerate(docked, start=1):
            put(root, f"{run}/1_rigidbody/{model['file_name']}.gz", pose(k))
        put(root, f"{run}/1_rigidbody/io.json", _io([], docked))
        put(root, f"{run}/2_seletop/io.json", _io(docked, [{"py/id": 9}, {"py/id": 3}]))
        refined, table = [], []
        for k in range(1, 3):
            energies = dict.fromkeys(_ENERGIES, 0.0) | {"vdw": -40.5 - k, "elec": -200.25 - k, "air": 17.5}
            more = {"bsa": 1500.5 + k, "desolv": 3.25}
            score = -87.5 - k
            model = _haddock_model("3_emref", f"emref_{k}.pdb", score, energies | more, f"rigidbody_{5 - k}.pdb")
            refined.append(model)
            put(root, f"{run}/3_emref/emref_{k}.pdb.gz", pose(k, head=_remarks(score, energies, more)))
            quality = [f"{x:.3f}" for x in (score, 1.5 + k, 0.75, 4.0, 3.0, 0.5)]
            table.append([f"../3_emref/emref_{k}.pdb", "-", str(3 - k), *quality, "-", "-", "-", "3.250",
                          f"{energies['elec']:.3f}", f"{energies['vdw']:.3f}"])  # fmt: skip
            capri = {"caprieval_rank": 3 - k, "score": score, "irmsd": 1.5 + k, "fnat": 0.75, "lrmsd": 4.0,
                     "ilrmsd": 3.0, "dockq": 0.5, "desolv": 3.25, "elec": -200.25 - k, "vdw": -40.5 - k}  # fmt: skip
            if k == 2:  # the one that a later caprieval tells of, too
                capri |= {"cluster_id": 1, "cluster_ranking": 1, "model_cluster_ranking": 1}
            path, target = f"{run}/3_emref/emref_{k}.pdb.gz", run.replace("/", "__")
            scores = {"haddock": score} | energies | more | {f"capri_{name}": value for name, value in capri.items()}
            made.add(path, target, f"{target}_emref_{k}", _named(scores))
            made.in_text[f"{target}_emref_{k}"] = _named({"haddock": score} | energies | more)
        own = list(made.names)[-2:]
        put(root, f"{run}/3_emref/io.json", _io(docked, refined))
        put(root, f"{run}/4_caprieval/capri_ss.tsv", _tsv(table))
        put(root, f"{run}/4_caprieval/capri_clt.tsv", "########\n# `caprieval` cluster-based analysis\n")
        put(root, f"{run}/5_seletopclusts/cluster_1_model_1.pdb.gz", pose(2))
        chosen = "rel_path\tori_name\tcluster_name\tmd5\n../3_emref/emref_2.pdb\tNone\tcluster_1_model_1.pdb\tNone\n"
        put(root, f"{run}/5_seletopclusts/seletopclusts.txt", chosen)
        clustered = ["../5_seletopclusts/cluster_1_model_1.pdb", *table[1][1:9], "1", "1", "1", *table[1][12:]]
        put(root, f"{run}/6_caprieval/capri_ss.tsv", _tsv([clustered]))
        put(root, f"{run}/analysis/4_caprieval_analysis/summary/cluster_1_model_1.pdb", pose(2))
        made.files |= {f"{run}/3_emref/io.json": own, f"{run}/4_caprieval/capri_ss.tsv": own}
    return made


def _haddock_model(step: str, name: str, score: float, energies=None, origin=None) -> dict:
    """A model as jsonpickle writes it, with what of it is no JSON of its own."""
    return {
        "clt_id": None, "created": "2023-06-26 11:15:03", "file_name": name,
        "file_type": {"py/reduce": [{"py/type": "haddock.libs.libontology.Format"}, {"py/tuple": ["pdb"]}]},
        "full_name": name, "len": float("nan"), "md5": None, "ori_name": origin, "path": f"/data/run1/{step}",
        "py/object": "haddock.libs.libontology.PDBFile",
        "rel_path": {"py/reduce": [{"py/type": "pathlib.PosixPath"}, {"py/tuple": ["..", step, name]}]},
        "score": score, "unw_energies": energies,
    }  # fmt: skip


def _io(models_in: list, models_out: list) -> str:
    return json.dumps({"input": models_in, "output": models_out}, indent=4, sort_keys=True)


def _tsv(rows: list[list[str]]) -> str:
    return "\n".join("\t".join(row) for row in [_CAPRI, *rows]) + "\n"


def _remarks(score: float, energies: dict, more: dict) -> str:
    line = "REMARK " + "=" * 63 + "\n"
    return (
        f'REMARK FILENAME="emref.pdb"\n{line}REMARK HADDOCK stats for emref.pdb\n{line}'
        f"REMARK HADDOCK score: {score}\n{line}"
        f"REMARK            {','.join(energies)}\nREMARK energies: {', '.join(map(str, energies.values()))}\n{line}"
        "REMARK            bonds,angles,impropers,dihe,air,cdih,coup,rdcs,vean,dani,xpcs\n"
        f"REMARK rms-dev.: 0,0,0,0,0.84,0,0, 0, 0, 0, 0\n{line}REMARK Desolvation energy: {more['desolv']}\n{line}"
        f"REMARK buried surface area: {more['bsa']}\n{line}REMARK water - chain_1: 0 0 0\n"
    )


def lightdock(root: Path) -> MadeFolder:
    """Two swarms of two glowworms, inputs, rankings, and copies of the best poses."""
    made = MadeFolder()
    scoring = {(0, 0): 20.01712344, (0, 1): -3.5, (4, 0): 17.0233988, (4, 1): 13.97599024}
    coordinates = "(-20.0640001, 16.4130002, -4.3410003,  0.8520004,  0.2920005,  0.0810006, -0.4260007)"
    for name in ("lightdock_rec.pdb", "lightdock_lig.pdb", "init/swarm_centers.pdb"):
        put(root, f"4IZ7/{name}", pose(0))
    header = "#Coordinates  RecID  LigID  Luciferin  Neighbor's number  Vision Range  Scoring\n"
    for swarm in (0, 4):
        lines = "".join(f"{coordinates}    0    0  {scoring[swarm, k] / 2:12.8f}  0 4.200 {scoring[swarm, k]:12.8f}\n"
                        for k in (0, 1))  # fmt: skip
        put(root, f"4IZ7/swarm_{swarm}/gso_100.out", header + lines)
        if swarm:  # of an earlier step
            put(root, f"4IZ7/swarm_{swarm}/gso_20.out", header + lines.replace("9", "8"))
        for k in (0, 1):
            path = f"4IZ7/swarm_{swarm}/lightdock_{k}.pdb"
            put(root, path, pose(swarm + k))
            values = {"lightdock": scoring[swarm, k], "lightdock_luciferin": scoring[swarm, k] / 2}
            made.add(path, "4IZ7", f"4IZ7_swarm_{swarm}_{k}", _named(values))
    best = sorted(scoring, key=scoring.get, reverse=True)
    ranking = "Swarm  Glowworm   Coordinates  RecID  LigID  Luciferin  Neigh   VR     RMSD    PDB   Clashes  Scoring\n"
    for swarm, k in best[:1]:  # of clustered poses, the others are not in it
        score = scoring[swarm, k]
        ranking += f"{swarm:5d} {k:6d} (-20.064, 16.413)  0  0 {score / 2:11.5f}  0  4.200  -1.000 "
        ranking += f"lightdock_{k}.pdb  0 {score:8.3f}\n"
        put(root, "4IZ7/top_1.pdb", pose(swarm + k))
        put(root, f"4IZ7/filtered/swarm_{swarm}_{k}.pdb", pose(swarm + k))
    put(root, "4IZ7/rank_by_scoring.list", ranking)
    return made


def zdock(root: Path) -> MadeFolder:
    """Two complexes of ZDOCK 3.0.2, and two of an older version, whose output file has a name of its user's."""
    made = MadeFolder()
    scores = [1547.291, 1432.5]
    predictions = "".join(f"-1.047198\t1.235643\t{k}.5\t13\t115\t{k}\t{score:.3f}\n" for k, score in enumerate(scores))
    files = "rec_m.pdb\t24.1\t12.2\t-9.6\nlig_m.pdb\t-0.6\t81.3\t4.4\n"
    put(root, "1AHW/zdock.out", "128\t1.2\t0\n0.0\t0.0\t0.0\n0.1\t0.2\t0.3\n" + files + predictions)
    put(root, "2NY7/2NY7.zd2.3.cg.out", "100\t1.2\n0.000000\t0.000000\t0.000000\n" + files + predictions)
    put(root, "2NY7/slurm-17.out", "job 17 has ended\n")
    for folder, output in (("1AHW", "zdock.out"), ("2NY7", "2NY7.zd2.3.cg.out")):
        for name in ("rec_m.pdb", "lig_m.pdb"):
            put(root, f"{folder}/{name}", pose(0))
        for k, score in enumerate(scores, start=1):
            path = f"{folder}/complex.{k}.pdb"
            put(root, path, pose(k))
            made.add(path, folder, f"{folder}_complex.{k}", {"score_zdock": score})
        made.files[f"{folder}/{output}"] = list(made.names)[-2:]
    return made


def cluspro(root: Path) -> MadeFolder:
    """Two clusters for each of two sets of coefficients."""
    made = MadeFolder()
    for coefficients, shift in (("000", 0.0), ("002", 100.0)):
        table = "Cluster,Members,Representative,Weighted Score\n"
        for cluster, members in enumerate((120, 64)):
            center, lowest = -850.5 - shift - cluster, -901.25 - shift - cluster
            table += f"{cluster},{members},Center,{center}\n{cluster},{members},Lowest Energy,{lowest}\n"
            path = f"AMYR/cluspro.961006/model.{coefficients}.{cluster:02d}.pdb"
            put(root, path, b"HEADER rec.pdb\n" + pose(cluster))
            values = {"cluspro_members": members, "cluspro_center": center, "cluspro_lowest_energy": lowest}
            name = f"AMYR__cluspro.961006_model.{coefficients}.{cluster:02d}"
            made.add(path, "AMYR__cluspro.961006", name, _named(values))
        put(root, f"AMYR/cluspro_scores.961006.{coefficients}.csv", table)
        made.files[f"AMYR/cluspro_scores.961006.{coefficients}.csv"] = list(made.names)[-2:]
    return made


def _named(scores: dict[str, float]) -> dict[str, float]:
    return {f"score_{name}": value for name, value in scores.items()}


#: By the layout's name.
MAKERS = {
    "rfantibody": rfantibody, "rfdiffusion": rfdiffusion, "haddock3": haddock3, "lightdock": lightdock, "zdock": zdock,
    "cluspro": cluspro,
}  # fmt: skip
