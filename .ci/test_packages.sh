#!/usr/bin/env bash
# What only tests need: Slurm's daemons, for those that start a private Slurm, Voronota, whose areas those of ours have to
# equal, HMMER's programs, whose hits the library's have to, and strace, which counts operations on files. Without root the
# tests that need them are skipped instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
PATH=$PATH:/usr/sbin

missing=()
command -v voronota >/dev/null || missing+=(voronota)
command -v strace >/dev/null || missing+=(strace)
command -v hmmscan >/dev/null || missing+=(hmmer)
for pair in slurmctld:slurmctld slurmd:slurmd srun:slurm-client munged:munge; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
ls /usr/lib/*/libpmix.so.2 >/dev/null 2>&1 || missing+=(libpmix2)

if [ "${#missing[@]}" -gt 0 ] && [ "$(id -u)" != 0 ]; then
    echo "no root: tests under Slurm, against Voronota and HMMER, and with strace are skipped (missing: ${missing[*]})"
    exit 0
fi
bash apt_install.sh "${missing[@]}"
