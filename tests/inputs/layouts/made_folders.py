"""Small output folders of structure predictors, made from a structure by the programs' published schemas.

Each function writes what one program leaves in a folder, with random but repeatable scores, and returns what is true of
each model in it. Sources: AlphaFold 3's docs/output.md, AlphaFold's run_alphafold.py 2.3.2, ColabFold's batch.py,
Boltz' docs/prediction.md and writer.py, Chai-1's chai1.py.
"""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stagea_mpi.inputs.compression import zstd

from .samples import Draw, Made, Structure


def write(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def zipped(folder: Path, archive: Path) -> Path:
    """A folder's files as a zip archive of the same."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder).as_posix())
    return archive


def alphafold3(
    folder: Path, structure: Structure, job: str = "job", seeds: Sequence[int] = (1, 20), n_samples: int = 2, *,
    is_old: bool = False, is_packed: bool = False,
) -> list[Made]:  # fmt: skip
    """A job of AlphaFold 3 in `folder` / `job`: of version 3.0.1 where it `is_old`, its large files packed.

    The best sample's copy is there, too; it is not among what is returned.
    """
    made = []
    for seed in seeds:
        for sample in range(n_samples):
            draw = Draw(structure, 3, seed, sample)
            place = f"seed-{seed}_sample-{sample}"
            base = "" if is_old else f"{job}_{place}_"
            values = _write_alphafold3(f"{folder / job / place}/{base}", structure, draw, is_packed)
            path = f"{job}/{place}/{base}model.cif{'.zst' if is_packed else ''}"
            made.append(Made(path, job, f"{job}_{place}", seed, sample, values, draw.pair_iptm, draw.pae, draw.plddt))
    best = max(made, key=lambda model: model.values["ranking_score"])
    draw = Draw(structure, 3, best.seed or 0, best.sample or 0)
    _write_alphafold3(f"{folder / job / job}_", structure, draw, is_packed)
    table = ["seed,sample,ranking_score", *(f"{m.seed},{m.sample},{m.values['ranking_score']}" for m in made)]
    write(folder / job / f"{'' if is_old else f'{job}_'}ranking_scores.csv", "\r\n".join([*table, ""]))
    write(folder / job / f"{job}_data.json", json.dumps({"name": job, "sequences": []}))
    return made


def alphafold_server(folder: Path, structure: Structure, job: str = "job", n_models: int = 5) -> list[Made]:
    """What an archive of AlphaFold's server holds, with a template and an alignment."""
    made = []
    for k in range(n_models):
        draw = Draw(structure, 4, k)
        base, stem = f"fold_{job}_", f"fold_{job}_model_{k}"
        values = _alphafold3_summary(draw)
        write(folder / f"{stem}.cif", structure.cif(draw.plddt))
        write(folder / f"{base}full_data_{k}.json", _alphafold3_details(structure, draw))
        write(folder / f"{base}summary_confidences_{k}.json", _summary_json(structure, draw, values))
        made.append(Made(f"{stem}.cif", job, stem, None, k, _named(values), draw.pair_iptm, draw.pae, draw.plddt))
    write(folder / f"{base}job_request.json", json.dumps([{"name": job, "modelSeeds": ["7"], "sequences": []}]))
    write(folder / "terms_of_use.md", "made")
    write(folder / "templates" / f"{base}template_hit_0_chains_a.cif", structure.cif(draw.plddt))
    write(folder / "msas" / f"{base}unpaired_msa_chains_a.a3m", ">query\nA\n")
    return made


def _write_alphafold3(base: str, structure: Structure, draw: Draw, is_packed: bool) -> dict[str, float]:
    """Three files, whose paths begin with `base`, and the values."""
    values = _alphafold3_summary(draw)
    large = {"model.cif": structure.cif(draw.plddt), "confidences.json": _alphafold3_details(structure, draw)}
    for name, content in large.items():
        write(Path(f"{base}{name}{'.zst' if is_packed else ''}"), zstd.compress(content) if is_packed else content)
    write(Path(f"{base}summary_confidences.json"), _summary_json(structure, draw, values))
    return _named(values)


def _alphafold3_summary(draw: Draw) -> dict[str, float]:
    disorder, clash = draw.unit(), 0.0
    score = round(0.8 * draw.iptm + 0.2 * draw.ptm + 0.5 * disorder - 100 * clash, 2)
    return {
        "fraction_disordered": disorder, "has_clash": clash, "iptm": draw.iptm, "ptm": draw.ptm, "ranking_score": score,
    }  # fmt: skip


def _summary_json(structure: Structure, draw: Draw, values: dict[str, float]) -> str:
    k = len(structure.chains)
    more = {
        "chain_ids": structure.chains, "chain_iptm": [draw.iptm] * k, "chain_ptm": [draw.ptm] * k,
        "chain_pair_iptm": draw.pair_iptm.tolist(), "chain_pair_pae_min": [[0.8] * k] * k,
    }  # fmt: skip
    return json.dumps(values | more, sort_keys=True, indent=1, separators=(",", ": "))


def _alphafold3_details(structure: Structure, draw: Draw) -> bytes:
    lists = {
        "atom_chain_ids": [line[21] for line in structure.lines],
        "atom_plddts": draw.plddt[structure.residue].tolist(),
        "contact_probs": np.eye(len(structure.chain)).tolist(),
        "pae": draw.pae.tolist(),
        "token_chain_ids": structure.chain.tolist(),
        "token_res_ids": structure.number.tolist(),
    }
    lines = [f'  "{name}": {json.dumps(value, separators=(",", ":"))}' for name, value in lists.items()]
    return ("{\n" + ",\n".join(lines) + "\n}").encode()


def _named(values: dict[str, float], **own: str) -> dict[str, float]:
    """Values as `Scores` names them."""
    names = {"ptm": "ptm", "iptm": "iptm", "ranking_score": "ranking_score", **own}
    return {names.get(key, f"score_{key}"): value for key, value in values.items()}


def alphafold_multimer(
    folder: Path, structure: Structure, target: str = "target", n_models: int = 5, *, n_relaxed: int = 1,
    is_old: bool = False,
) -> list[Made]:  # fmt: skip
    """A target of AlphaFold-Multimer 2.3.2, or of 2.3.1 where it `is_old`: no mmCIF, errors in pickles alone.

    What is returned are the ranked models.
    """
    draws = {f"model_{k}_multimer_v3_pred_0": Draw(structure, 2, k) for k in range(1, n_models + 1)}
    scores = {name: 0.8 * draw.iptm + 0.2 * draw.ptm for name, draw in draws.items()}
    order = sorted(scores, key=lambda name: -scores[name])
    own, made = folder / target, []
    forms = ("pdb",) if is_old else ("pdb", "cif")
    for rank, name in enumerate(order):
        draw, values = draws[name], {"ranking_score": scores[name]}
        stems = [f"ranked_{rank}", f"unrelaxed_{name}"]
        if rank < n_relaxed:
            stems.append(f"relaxed_{name}")
            values["score_remaining_violations_count"] = 0.0
        for stem in stems:
            for form in forms:
                write(own / f"{stem}.{form}", getattr(structure, form)(draw.plddt))
        write(own / f"result_{name}.pkl", b"\x80\x04.")
        if not is_old:
            errors = {"predicted_aligned_error": draw.pae.tolist(), "max_predicted_aligned_error": 31.75}
            write(own / f"pae_{name}.json", json.dumps([errors], separators=(",", ":")))
            numbers = list(range(1, len(draw.plddt) + 1))
            write(
                own / f"confidence_{name}.json",
                json.dumps({"residueNumber": numbers, "confidenceScore": draw.plddt.tolist()}),
            )
        made.append(
            Made(f"{target}/ranked_{rank}.pdb", target, f"{target}_ranked_{rank}", None, rank, values, None,
                 None if is_old else draw.pae, draw.plddt)
        )  # fmt: skip
    relaxed = {
        name: {"remaining_violations": [0.0, 0.0], "remaining_violations_count": 0.0} for name in order[:n_relaxed]
    }
    write(own / "ranking_debug.json", json.dumps({"iptm+ptm": scores, "order": order}, indent=4))
    write(own / "relax_metrics.json", json.dumps(relaxed, indent=4))
    write(own / "timings.json", json.dumps({"features": 1.0}, indent=4))
    write(own / "features.pkl", b"\x80\x04.")
    write(own / "msas" / "chain_id_map.json", "{}")
    return made


def colabfold(
    folder: Path, structure: Structure, job: str = "job", n_models: int = 5, *, n_relaxed: int = 1, seed: int = 0,
    is_old: bool = False, has_extra_ptm: bool = False,
) -> list[Made]:  # fmt: skip
    """A job of ColabFold's batch in `folder`, of a version before 1.5 where it `is_old`."""
    draws = {k: Draw(structure, 5, seed, k) for k in range(1, n_models + 1)}
    scores = {k: 0.8 * draw.iptm + 0.2 * draw.ptm for k, draw in draws.items()}
    made = []
    for rank, k in enumerate(sorted(scores, key=lambda k: -scores[k]), 1):
        draw = draws[k]
        tag = (
            f"rank_{rank}_model_{k}" if is_old else f"rank_{rank:03d}_alphafold2_multimer_v3_model_{k}_seed_{seed:03d}"
        )
        stem = f"{job}_unrelaxed_{tag}"
        said: dict[str, object] = {
            "plddt": draw.plddt.tolist(), "max_pae": float(draw.pae.max()), "pae": draw.pae.tolist(),
            "ptm": draw.ptm, "iptm": draw.iptm,
        }  # fmt: skip
        values = {
            "ptm": draw.ptm,
            "iptm": draw.iptm,
            "ranking_score": scores[k],
            "score_max_pae": float(draw.pae.max()),
        }
        pair_iptm = None
        if has_extra_ptm:
            pair_iptm = np.triu(draw.pair_iptm) + np.triu(draw.pair_iptm, 1).T
            letters = "ABCDEFGH"[: len(structure.chains)]
            said["pairwise_iptm"] = {
                f"{one}-{two}": pair_iptm[a, b]
                for a, one in enumerate(letters)
                for b, two in enumerate(letters)
                if a < b
            }
            said["per_chain_ptm"] = {one: pair_iptm[a, a] for a, one in enumerate(letters)}
            said["actifptm"] = values["score_actifptm"] = draw.unit()
        write(folder / f"{stem}.pdb", structure.pdb(draw.plddt))
        write(folder / (f"{stem}_scores.json" if is_old else f"{job}_scores_{tag}.json"), json.dumps(said))
        if rank <= n_relaxed:
            stem = f"{job}_relaxed_{tag}"
            write(folder / f"{stem}.pdb", structure.pdb(draw.plddt))
        name = f"{job}_rank_{rank}_model_{k}" if is_old else f"{job}_rank_{rank:03d}_model_{k}_seed_{seed:03d}"
        made.append(
            Made(f"{stem}.pdb", job, name, None if is_old else seed, k, values, pair_iptm, draw.pae, draw.plddt)
        )
        if rank == 1:
            errors = {
                "predicted_aligned_error": draw.pae.tolist(),
                "max_predicted_aligned_error": float(draw.pae.max()),
            }
            write(folder / f"{job}_predicted_aligned_error_v1.json", json.dumps(errors))
    for name in (f"{job}.a3m", f"{job}.done.txt", f"{job}_pae.png", "config.json", "log.txt", "cite.bibtex"):
        write(folder / name, "")
    write(folder / f"{job}_env" / "templates_101" / "1abc.cif", structure.cif(draw.plddt))
    return made


def boltz(
    folder: Path, structure: Structure, target: str = "target", n_models: int = 3, *, run: str = "boltz_results_run",
    form: str = "cif", has_pae: bool = True,
) -> list[Made]:  # fmt: skip
    """A target of a run of Boltz in `folder` / `run`; its models as ``cif`` or ``pdb``."""
    draws = sorted((Draw(structure, 6, k) for k in range(n_models)), key=lambda draw: -_boltz_score(draw))
    own, made = f"{run}/predictions/{target}", []
    for rank, draw in enumerate(draws):
        stem = f"{target}_model_{rank}"
        mean = float(draw.plddt.mean()) / 100
        values = {
            "confidence_score": _boltz_score(draw), "ptm": draw.ptm, "iptm": draw.iptm, "ligand_iptm": 0.0,
            "protein_iptm": draw.iptm, "complex_plddt": mean, "complex_iplddt": mean, "complex_pde": 0.89,
            "complex_ipde": 5.17,
        }  # fmt: skip
        pairs = {str(a): {str(b): float(value) for b, value in enumerate(row)} for a, row in enumerate(draw.pair_iptm)}
        said = values | {"chains_ptm": {key: row[key] for key, row in pairs.items()}, "pair_chains_iptm": pairs}
        write(folder / own / f"{stem}.{form}", getattr(structure, form)(draw.plddt))
        write(folder / own / f"confidence_{stem}.json", json.dumps(said, indent=4))
        np.savez_compressed(folder / own / f"plddt_{stem}.npz", plddt=(draw.plddt / 100).astype(np.float32))
        if has_pae:
            np.savez_compressed(folder / own / f"pae_{stem}.npz", pae=draw.pae.astype(np.float32))
        pae = draw.pae if has_pae else None
        made.append(
            Made(f"{own}/{stem}.{form}", target, stem, None, rank, _named(values, confidence_score="ranking_score"),
                 draw.pair_iptm, pae, draw.plddt)
        )  # fmt: skip
    write(folder / run / "processed" / "manifest.json", json.dumps({"records": [{"id": target}]}))
    write(folder / run / "msa" / f"{target}_0.csv", "key,sequence\n")
    return made


def _boltz_score(draw: Draw) -> float:
    return 0.8 * float(draw.plddt.mean()) / 100 + 0.2 * draw.iptm


def chai1(
    folder: Path, structure: Structure, target: str = "target", n_models: int = 5, *, n_trunks: int = 1
) -> list[Made]:
    """A run of Chai-1 in `folder` / `target`; of several runs of the trunk each has a folder."""
    made = []
    for trunk in range(n_trunks):
        own = target if n_trunks == 1 else f"{target}/trunk_{trunk}"
        for k in range(n_models):
            draw = Draw(structure, 7, trunk, k)
            has_clash = k == 1
            score = 0.2 * draw.ptm + 0.8 * draw.iptm - 100 * has_clash
            arrays = {
                "aggregate_score": np.array([score], np.float32), "ptm": np.array([draw.ptm], np.float32),
                "iptm": np.array([draw.iptm], np.float32),
                "per_chain_ptm": np.diag(draw.pair_iptm)[None].astype(np.float32),
                "per_chain_pair_iptm": draw.pair_iptm[None].astype(np.float32),
                "has_inter_chain_clashes": np.array([has_clash]),
                "chain_chain_clashes": np.zeros((1, *draw.pair_iptm.shape), np.int64),
                "allow_pickle": np.array(False),  # as the program's call makes it with NumPy before 2.2
            }  # fmt: skip
            write(folder / own / f"pred.model_idx_{k}.cif", structure.cif(draw.plddt))
            np.savez(folder / own / f"scores.model_idx_{k}.npz", **arrays)
            values = {
                "ranking_score": float(arrays["aggregate_score"][0]), "ptm": float(arrays["ptm"][0]),
                "iptm": float(arrays["iptm"][0]), "score_has_inter_chain_clashes": float(has_clash),
            }  # fmt: skip
            name = f"{target}{'' if n_trunks == 1 else f'_trunk_{trunk}'}_model_idx_{k}"
            made.append(
                Made(f"{own}/pred.model_idx_{k}.cif", target, name, None if n_trunks == 1 else trunk, k, values,
                     arrays["per_chain_pair_iptm"][0].astype(float), None, draw.plddt)
            )  # fmt: skip
    return made
