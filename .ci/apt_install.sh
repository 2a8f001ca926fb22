#!/usr/bin/env bash
# Installs the named Debian packages; without names it does nothing. The caller has found out which are missing.
set -euo pipefail
[ $# -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    cat >&2 <<TEXT
missing on this machine: $*
Install them as root (apt-get install $*), or, on a cluster, take the conda way instead of make:
    conda env create -f environment.yml
TEXT
    exit 1
fi

echo "installing Debian packages: $*"
export DEBIAN_FRONTEND=noninteractive
export RUNLEVEL=1                                       # nothing that comes with a daemon starts it
apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
    dpkg --configure -a                                 # finishes what an earlier, killed installation left
    "${apt[@]}" update
    "${apt[@]}" install -y --no-install-recommends "$@"
} >"$log" 2>&1 </dev/null || { cat "$log" >&2; exit 1; }
