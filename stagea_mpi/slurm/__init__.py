"""Stage A under Slurm: what ranks may use of a node, job scripts, submitting them, and the queue."""
