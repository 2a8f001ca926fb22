"""What reading a predictor's scores costs beside the model they are of: ``python -m benchmarks scores [--samples 20]
[--repeats 3]``.

Samples of the two shipped complexes in the files of AlphaFold 3, ColabFold and Boltz, each folder run on one rank.
Times are a model's, medians of the runs; the graph is what else is done in the process that computes it.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import gemmi
import numpy as np

from stagea_mpi.demo.poses import COMPLEXES
from stagea_mpi.demo.predictions import write_predictions
from stagea_mpi.graph.timing import STAGES

from .costs import print_table
from .runs import Measurement, measure


def as_alphafold3(models: Sequence[Path], folder: Path) -> None:
    """The files as they are."""
    for path in models:
        own = folder / path.parent.name
        own.mkdir()
        for file in path.parent.iterdir():
            (own / file.name).write_bytes(file.read_bytes())


def as_colabfold(models: Sequence[Path], folder: Path) -> None:
    """Models in PDB, scores in one JSON file each, errors with two decimals."""
    for rank, path in enumerate(models, start=1):
        pae, summary = _errors(path), _summary(path)
        tag = f"rank_{rank:03d}_alphafold2_multimer_v3_model_1_seed_{rank:03d}"
        gemmi.read_structure(str(path)).write_pdb(str(folder / f"job_unrelaxed_{tag}.pdb"))
        scores = {"plddt": [90.0] * len(pae), "max_pae": 31.75, "pae": np.round(pae, 2).tolist()}
        (folder / f"job_scores_{tag}.json").write_text(
            json.dumps({**scores, "ptm": summary["ptm"], "iptm": summary["iptm"]})
        )


def as_boltz(models: Sequence[Path], folder: Path) -> None:
    """Models in mmCIF, errors as compressed floats, scores in JSON."""
    own = folder / "boltz_results_job" / "predictions" / "job"
    own.mkdir(parents=True)
    for sample, path in enumerate(models):
        summary = _summary(path)
        (own / f"job_model_{sample}.cif").write_bytes(path.read_bytes())
        np.savez_compressed(own / f"pae_job_model_{sample}.npz", pae=_errors(path).astype(np.float32))
        chains = {
            str(i): {str(j): value for j, value in enumerate(row)} for i, row in enumerate(summary["chain_pair_iptm"])
        }
        (own / f"confidence_job_model_{sample}.json").write_text(
            json.dumps({"confidence_score": summary["ranking_score"], "ptm": summary["ptm"], "iptm": summary["iptm"],
                        "pair_chains_iptm": chains}, indent=4)
        )  # fmt: skip


#: How the files of each program are made of those of AlphaFold 3.
PROGRAMS: dict[str, Callable[[Sequence[Path], Path], None]] = {
    "AlphaFold 3": as_alphafold3,
    "ColabFold": as_colabfold,
    "Boltz": as_boltz,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)


def main(options: argparse.Namespace) -> None:
    rows = [("target", "residues", "program", "scores", "graph", "scores / graph", "")]
    with tempfile.TemporaryDirectory() as temporary:
        for name, source in COMPLEXES.items():
            models = write_predictions(Path(temporary) / name.lower(), source, seeds=1, samples=options.samples)
            n_residues = len(_errors(models[0]))
            for program, write in PROGRAMS.items():
                folder = Path(temporary) / f"{name}_{program.replace(' ', '')}"
                folder.mkdir()
                write(models, folder)
                found = [
                    measure(folder, 1, Path(temporary) / f"{folder.name}_{repeat}", chains="auto")
                    for repeat in range(options.repeats)
                ]
                rows.append((name, str(n_residues), program, *_costs(found), ""))
    print_table(rows)


def _costs(found: Sequence[Measurement]) -> tuple[str, str, str]:
    scores = [one.stage_s["scores"] / one.n_models for one in found]
    graph = [sum(one.stage_s[stage] for stage in STAGES if stage != "scores") / one.n_models for one in found]
    ratio = statistics.median(one / other for one, other in zip(scores, graph, strict=True))
    return f"{statistics.median(scores) * 1e3:.1f} ms", f"{statistics.median(graph) * 1e3:.1f} ms", f"{ratio:.3f}"


def _errors(model: Path) -> np.ndarray:
    """A sample's errors, with more digits than AlphaFold 3 gives them."""
    content = json.loads(model.with_name(model.name.replace("_model.cif", "_confidences.json")).read_text())
    return np.array(content["pae"]) + np.random.default_rng(1).uniform(0.0, 0.1, (len(content["pae"]),) * 2)


def _summary(model: Path) -> dict:
    return json.loads(model.with_name(model.name.replace("_model.cif", "_summary_confidences.json")).read_text())
