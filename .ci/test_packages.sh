#!/usr/bin/env bash
# What only tests need: Slurm's daemons, for those that start a private Slurm, Voronota, whose areas those of ours have to
# equal, HMMER's programs, whose hits the library's have to, strace, which counts operations on files, and Snakemake, in an
# environment of its own since it wants older libraries than ours. Without root the tests that need packages are skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
PATH=$PATH:/usr/sbin

snakemake=${XDG_CACHE_HOME:-$HOME/.cache}/stagea_mpi/snakemake-9.27.1
if [ ! -x "$snakemake/bin/snakemake" ]; then
    echo "installing Snakemake into $snakemake"
    rm -rf "$snakemake"
    ${PYTHON:-python3} -m venv "$snakemake"
    "$snakemake/bin/python" -m pip --disable-pip-version-check -qq install --no-compile snakemake==9.27.1
fi

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
