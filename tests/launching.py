"""How tests start ranks of their own."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]


def write_run_yaml(path: Path, pdb_root: Path, **stage_a) -> Path:
    """A configuration whose run folder has the file's name without the suffix.

    All ranks are one team where nothing else is stated: of so few models `auto` would make teams of one rank, and these
    write nothing together.
    """
    stage_a = {"team": "node"} | stage_a
    lines = [f"run_root: {path.with_suffix('')}", f"pdb_root: {pdb_root}", "chains: {heavy: H, light: L, antigen: A}"]
    lines += ["stage_a:"] + [f"  {key}: {value}" for key, value in stage_a.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def mpiexec() -> str:
    found = shutil.which("mpiexec.openmpi") or shutil.which("mpiexec")
    assert found, "no mpiexec on PATH; `make env` installs it"
    return found


def launch_environment() -> dict[str, str]:
    """The environment without what an outer launcher has set, so that a test may start ranks of its own."""
    outer = ("OMPI_", "PMIX_", "PMI_", "ORTE_", "SLURM_", "STAGEA_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(outer)}
    environment["OMPI_MCA_mpi_yield_when_idle"] = "1"  # a rank that waits leaves its core to others' worker processes
    if os.getuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return environment


#: What has the same bytes whatever number of ranks has written it.
PUBLISHED = ("graphs.h5", "failures.tsv", "manifest.tsv.gz")


def published(run_yaml: Path) -> dict[str, bytes]:
    """Published files of a run, by shard and name."""
    shards = run_yaml.with_suffix("") / "shards"
    files = [path for name in PUBLISHED for path in shards.glob(f"*/{name}")]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files}
