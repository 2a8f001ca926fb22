"""hmmscan as ANARCI needs it, without temporary files: sequences go in and results come out through pipes.

ANARCI's own `run_hmmer` looks at no exit code, so that a scan that was killed or printed something else passes for one
that found nothing, and it leaves temporary files behind when its process is killed.
"""

import functools
import importlib
import io
import os
import sys
from types import ModuleType
from typing import Any

from ..errors import LaunchError, ModelError
from ..mpi.child_process import run_child

#: Seconds that a scan may take, and so many more for each sequence; half a second is usual.
_LIMIT, _LIMIT_A_SEQUENCE = 120.0, 5.0


@functools.cache
def anarci_module() -> ModuleType:
    """The anarci module, its hmmscan started as all our children are, and silent: it prints what it also returns or
    raises. (Python's own redirection of what is printed holds for all threads of a process.)

    Raises
    ------
    LaunchError
        It is not installed.
    """
    try:
        module: Any = importlib.import_module("anarci.anarci")
        schemes: Any = importlib.import_module("anarci.schemes")
    except ImportError as error:
        raise LaunchError(
            f"anarci cannot be imported ({error}); install it (`python -m stagea_mpi doctor` checks all)"
        ) from error
    module.run_hmmer = functools.partial(_scan, module)
    module.print = schemes.print = _print_to_files
    return module


def _print_to_files(*values: Any, file: Any = None, **options: Any) -> None:
    """Stands in for `print` in ANARCI's modules: what is for a terminal is dropped."""
    if file not in (None, sys.stdout, sys.stderr):
        print(*values, file=file, **options)


def _scan(
    module: ModuleType,
    sequence_list: list[tuple[str, str]],
    hmm_database: str = "ALL",
    hmmerpath: str = "",
    ncpu: int | None = None,
    bit_score_threshold: float = 80,
    hmmer_species: list[str] | None = None,
) -> list:
    """Stands in for ANARCI's `run_hmmer`; the parameters are its."""
    queries = io.StringIO()
    module.write_fasta(sequence_list, queries)
    command = ["hmmscan", *(["--cpu", str(ncpu)] if ncpu is not None else [])]
    database = os.path.join(module.HMM_path, f"{hmm_database}.hmm")
    limit = _LIMIT + _LIMIT_A_SEQUENCE * len(sequence_list)
    output = run_child([*command, database, "-"], queries.getvalue().encode(), limit).decode(errors="replace")
    results = []
    if output.rstrip().endswith("[ok]"):
        options = {"bit_score_threshold": bit_score_threshold, "hmmer_species": hmmer_species}
        results = [module._parse_hmmer_query(query, **options) for query in module.HMMERParser(io.StringIO(output))]
    if len(results) != len(sequence_list):
        ends = f"it begins with {output[:80]!r} and ends with {output[-40:]!r}"
        raise ModelError(
            "child_failed", f"hmmscan gave {len(results)} results for {len(sequence_list)} sequences: {ends}"
        )
    return results
