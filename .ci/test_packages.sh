#!/usr/bin/env bash
# Slurm's daemons for the tests that start a private Slurm. Without root the tests that need it are skipped instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
PATH=$PATH:/usr/sbin

missing=()
for pair in slurmctld:slurmctld slurmd:slurmd srun:slurm-client munged:munge; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
ls /usr/lib/*/libpmix.so.2 >/dev/null 2>&1 || missing+=(libpmix2)

if [ "${#missing[@]}" -gt 0 ] && [ "$(id -u)" != 0 ]; then
    echo "no root: tests under Slurm are skipped (missing: ${missing[*]})"
    exit 0
fi
bash apt_install.sh "${missing[@]}"
