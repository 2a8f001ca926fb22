"""Kernels in C: numbers of places, graphs and surfaces, without a word of proteins, files or MPI.

`compiled` is the extension module; `module.c` checks what Python hands over, `kernels.h` says what each kernel does.
"""

from pathlib import Path

try:
    from . import compiled
except ImportError as error:
    raise ImportError(
        f"the kernels in C are not in {Path(__file__).parent}: {error}. They are built when the package is installed: "
        "`pip install .` in its source tree, with a C compiler, or `make env`"
    ) from error

__all__ = ["compiled"]
