"""Kernels in C: numbers of places, graphs and surfaces, without a word of proteins, files or MPI.

`compiled` is the extension module; `module.c` checks what Python hands over, `kernels.h` says what each kernel does.
"""

from pathlib import Path

from ..errors import NotBuiltError

try:
    import stagea_mpi.kernels.compiled as compiled
except ImportError as error:
    raise NotBuiltError(
        f"the kernels in C cannot be loaded from {Path(__file__).parent}: {error}. They are built when the package is "
        "installed: `make env`, or `pip install .` in the source tree; both need a C compiler. What pip has installed "
        "there is found from any other folder, and by the command `stagea-mpi`"
    ) from error

__all__ = ["compiled"]
