"""The package is described in pyproject.toml; here is what is said when its kernels cannot be built."""

import shutil
import sysconfig
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext


class BuildKernels(build_ext):
    """Looks for a compiler and Python's headers first: what comes up without them is a traceback."""

    def build_extensions(self):
        compiler = (getattr(self.compiler, "compiler_so", None) or ["cc"])[0]
        if shutil.which(compiler) is None:
            raise SystemExit(
                f"stagea_mpi has kernels in C, and the compiler {compiler} is not on PATH: install one (Debian: gcc "
                "and libc6-dev), load your cluster's module, or name another by CC=..."
            )
        headers = Path(sysconfig.get_path("include"))
        if not (headers / "Python.h").is_file():
            raise SystemExit(
                f"stagea_mpi has kernels in C, and Python's headers are not in {headers}: install them (Debian: "
                "python3-dev, others: python3-devel), or take a Python that has them"
            )
        super().build_extensions()


setup(cmdclass={"build_ext": BuildKernels})
