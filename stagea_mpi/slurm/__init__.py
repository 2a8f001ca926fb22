"""Stage A under Slurm: what ranks may use of a node, job scripts, submitting them, the queue, where a run stands."""
