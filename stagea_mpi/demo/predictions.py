"""Samples as a structure predictor writes them, for the demo and for tests, made from the shipped complexes.

    python -m stagea_mpi.demo.predictions OUT_DIR

Models are poses (`demo.poses`), in the folders and files of AlphaFold 3: chains A, B, C in the order of its input,
residues numbered from 1, pLDDT as B factors, confidences beside each model. No predictor has made these: the one that
is played here knows the shipped complex, and its aligned errors are the real ones with noise on them. The scores follow
from the errors by their formulas.
"""

import argparse
import csv
import io
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gemmi
import numpy as np

from .poses import COMPLEXES, Pose, ShippedComplex, make_poses, read_complex

#: Å; the least and the largest error that AlphaFold 3 states.
_LEAST_ERROR, _LARGEST_ERROR = 0.8, 31.8
#: Sampled errors are so many times the real ones, as a logarithm's standard deviation.
_NOISE = 0.3
#: Å, and how much of pLDDT an error of that size costs.
_ERROR_SCALE, _ERROR_COST = 10.0, 40.0
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class _Backbone:
    """Cα, and the frame of N, Cα and C, of each residue; shape=(n, 3) and (n, 3, 3)."""

    ca: np.ndarray
    frame: np.ndarray

    def seen_from_each(self) -> np.ndarray:
        """Cα of each residue (second axis) in the frame of each (first axis), shape=(n, n, 3)."""
        return np.einsum("iab,ijb->ija", self.frame, self.ca[None, :, :] - self.ca[:, None, :])


def write_predictions(
    out_dir: Path, source: ShippedComplex, seeds: int = 3, samples: int = 5, random_seed: int = 2026
) -> list[Path]:
    """Writes one target's samples into a folder, all or none, with the best one once more at its top.

    Parameters
    ----------
    out_dir : Path
        A folder that does not exist or is empty; its name is the target's.
    source : ShippedComplex
        What is predicted.
    seeds, samples : int
        So many samples of each of so many seeds, from 1 and from 0 on.
    random_seed : int

    Returns
    -------
    models : list of Path
        In the order of seeds and samples.
    """
    out_dir = Path(out_dir)
    if out_dir.exists() and any(out_dir.iterdir()):
        raise FileExistsError(f"{out_dir} exists and is not empty; name another folder or remove it")
    draft, job = out_dir.with_name(out_dir.name + ".tmp"), out_dir.name
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    structure = _as_input(read_complex(source), source)
    native, random = _backbone(structure), np.random.default_rng(random_seed)
    antigen = tuple(_ALPHABET[len(source.antibody) : len(source.antibody) + len(source.antigen)])
    ranking, best = [], ("", -np.inf)
    for k, pose in enumerate(make_poses(source, seeds * samples, random_seed)):
        seed, sample = 1 + k // samples, k % samples
        name, folder = f"{job}_seed-{seed}_sample-{sample}", draft / f"seed-{seed}_sample-{sample}"
        folder.mkdir()
        score = _write_sample(folder, name, _moved(structure, antigen, pose), native, random)
        ranking.append((seed, sample, score))
        best = max(best, (f"{folder.name}/{name}", score), key=lambda found: found[1])
    table = io.StringIO()
    csv.writer(table).writerows([("seed", "sample", "ranking_score"), *ranking])
    (draft / f"{job}_ranking_scores.csv").write_text(table.getvalue(), newline="")
    for ending in ("model.cif", "confidences.json", "summary_confidences.json"):
        shutil.copy(draft / f"{best[0]}_{ending}", draft / f"{job}_{ending}")
    draft.replace(out_dir)
    return [
        out_dir / f"seed-{seed}_sample-{sample}" / f"{job}_seed-{seed}_sample-{sample}_model.cif"
        for seed, sample, _ in ranking
    ]


def write_all(out_dir: Path, seeds: int = 3, samples: int = 5) -> Path:
    """Writes samples of each shipped complex, a folder for each (`write_predictions`); those that are there stay."""
    for name, source in COMPLEXES.items():
        if not (Path(out_dir) / name.lower()).exists():
            write_predictions(Path(out_dir) / name.lower(), source, seeds, samples)
    return Path(out_dir)


def _as_input(structure: gemmi.Structure, source: ShippedComplex) -> gemmi.Structure:
    """The complex with its chains and residues named and numbered as a predictor does."""
    result, model = gemmi.Structure(), gemmi.Model(1)
    for name, old in zip(_ALPHABET, source.antibody + source.antigen, strict=False):
        chain = gemmi.Chain(name)
        residues = [r for r in structure[0][old] if r.het_flag != "H" and {"N", "CA", "C"} <= {a.name for a in r}]
        for number, residue in enumerate(residues, start=1):
            residue = residue.clone()
            residue.seqid = gemmi.SeqId(str(number))
            residue.subchain = name
            residue.remove_hydrogens()
            chain.add_residue(residue)
        model.add_chain(chain)
    result.add_model(model)
    result.remove_alternative_conformations()
    result.setup_entities()
    return result


def _moved(structure: gemmi.Structure, antigen: tuple[str, ...], pose: Pose) -> gemmi.Structure:
    move = gemmi.Transform(gemmi.Mat33(pose.rotation.tolist()), gemmi.Vec3(*pose.translation))
    result = structure.clone()
    for name in antigen:
        result[0][name].whole().transform_pos_and_adp(move)
    return result


def _backbone(structure: gemmi.Structure) -> _Backbone:
    atoms = np.array(
        [
            [residue.sole_atom(name).pos.tolist() for name in ("N", "CA", "C")]
            for chain in structure[0]
            for residue in chain
        ]
    )
    n, ca, c = atoms[:, 0], atoms[:, 1], atoms[:, 2]
    x = _unit(c - ca)
    y = _unit((n - ca) - np.sum((n - ca) * x, axis=1, keepdims=True) * x)
    return _Backbone(ca, np.stack([x, y, np.cross(x, y)], axis=1))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _write_sample(
    folder: Path, name: str, model: gemmi.Structure, native: _Backbone, random: np.random.Generator
) -> float:
    """Writes a model with its confidences; its ranking score."""
    chains = [chain.name for chain in model[0] for _ in chain]
    numbers = [residue.seqid.num for chain in model[0] for residue in chain]
    backbone, chain = _backbone(model), np.array(chains)
    error = np.linalg.norm(backbone.seen_from_each() - native.seen_from_each(), axis=2)
    error = (error + 1.0) * np.exp(random.normal(0.0, _NOISE, error.shape))
    pae = np.round(error.clip(_LEAST_ERROR, _LARGEST_ERROR), 1)
    plddt = _plddt(pae, backbone.ca, chain, random)
    for value, residue in zip(plddt, (residue for part in model[0] for residue in part), strict=True):
        for atom in residue:
            atom.b_iso = value
    model.make_mmcif_document().write_file(str(folder / f"{name}_model.cif"))
    names = list(dict.fromkeys(chains))
    is_of = [chain == name for name in names]
    pairs = [[_tm(pae, np.outer(one, other)) for other in is_of] for one in is_of]
    ptm, iptm = _tm(pae, np.ones(pae.shape, dtype=bool)), _tm(pae, chain[:, None] != chain[None, :])
    summary = {
        "chain_ids": names,
        "chain_iptm": [max(p for j, p in enumerate(row) if j != k) for k, row in enumerate(pairs)],
        "chain_pair_iptm": pairs,
        "chain_ptm": [row[k] for k, row in enumerate(pairs)],
        "fraction_disordered": 0.0,
        "has_clash": 0.0,
        "iptm": iptm,
        "ptm": ptm,
        "ranking_score": round(0.8 * iptm + 0.2 * ptm, 2),
    }
    (folder / f"{name}_summary_confidences.json").write_text(json.dumps(summary, indent=1))
    confidences: dict[str, Any] = {
        "atom_chain_ids": [part.name for part in model[0] for residue in part for _ in residue],
        "atom_plddts": [atom.b_iso for part in model[0] for residue in part for atom in residue],
        "contact_probs": np.round(1.0 / (1.0 + pae), 2).tolist(),
        "pae": pae.tolist(),
        "token_chain_ids": chains,
        "token_res_ids": numbers,
    }
    lines = [f'  "{key}": {json.dumps(value, separators=(",", ":"))}' for key, value in confidences.items()]
    (folder / f"{name}_confidences.json").write_text("{\n" + ",\n".join(lines) + "\n}")
    return float(summary["ranking_score"])  # type: ignore[arg-type]


def _plddt(pae: np.ndarray, ca: np.ndarray, chain: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """pLDDT of each residue: the larger the errors to what is near it, the lower."""
    near = np.linalg.norm(ca[:, None] - ca[None], axis=2) < _ERROR_SCALE
    mean = np.sum(pae * near, axis=1) / near.sum(axis=1)
    return np.round((98.0 - _ERROR_COST * mean / _LARGEST_ERROR + random.normal(0.0, 1.5, len(ca))).clip(20.0, 99.0), 2)


def _tm(pae: np.ndarray, counts: np.ndarray) -> float:
    """pTM of the errors that count: the best residue's mean over those aligned to it (Jumper et al. 2021, 1.9.7)."""
    n_residues = int((counts.any(axis=0) | counts.any(axis=1)).sum())
    d0 = 1.24 * (max(n_residues, 19) - 15) ** (1 / 3) - 1.8
    aligned = counts.any(axis=1)
    terms = np.where(counts, 1.0 / (1.0 + (pae / d0) ** 2), 0.0)[aligned]
    return round(float((terms.sum(axis=1) / counts[aligned].sum(axis=1)).max()), 2)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m stagea_mpi.demo.predictions", description=__doc__)
    parser.add_argument("out_dir", type=Path, help="folder for the targets; it may not exist yet or must be empty")
    parser.add_argument("--seeds", type=int, default=3, help="of each target (default %(default)s)")
    parser.add_argument("--samples", type=int, default=5, help="of each seed (default %(default)s)")
    options = parser.parse_args(arguments)
    try:
        for name, source in COMPLEXES.items():
            written = write_predictions(options.out_dir / name.lower(), source, options.seeds, options.samples)
            print(f"{len(written)} samples of {name} in {options.out_dir / name.lower()}")
    except FileExistsError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
