"""The process beside a rank in which its models are computed."""

import importlib

from ..mpi.worker import WorkerProcess

#: What computes a model, which a rank knows, too.
_COMPUTING = "stagea_mpi.pipeline.compute_model"


def model_worker() -> WorkerProcess:
    """One that is not set up yet."""
    return WorkerProcess((_COMPUTING,))


def forked_worker() -> WorkerProcess:
    """One that is forked off this process before it loads MPI: what computes a model is loaded once for both."""
    worker = model_worker()
    importlib.import_module(_COMPUTING)
    worker.fork_off()
    return worker
