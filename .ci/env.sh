#!/usr/bin/env bash
# Makes .venv and whatever it needs: Debian packages, h5py built against Open MPI's HDF5, the Python dependencies.
# Called again it does nothing until this file, the constraints, pyproject.toml or the kernels in C change (these alone
# are then built anew); killed at any moment, it starts anew from what is whole. PYTHON names the interpreter (default
# python3).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-python3}
VENV=.venv
STAMP=$VENV/made-from
KERNELS=stagea_mpi/kernels
BUILT=$KERNELS/compiled.abi3.so
KERNELS_STAMP=$VENV/kernels-made-from
CONSTRAINTS=.ci/constraints.txt
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/stagea_mpi

main() {
    exec 9<"$CONSTRAINTS"
    flock 9                                             # a second `make env` waits, then finds the work done
    check_python
    install_debian_packages
    local wanted
    wanted=$(fingerprint)
    if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$wanted" ]; then
        build_kernels
        return
    fi
    make_venv
    install_h5py
    say "installing the Python dependencies"
    pip install -c "$CONSTRAINTS" --no-build-isolation -e '.[test,notebooks,table,view,docs]'
    stamp "$KERNELS_STAMP" "$(kernels_fingerprint)"
    stamp "$STAMP" "$wanted"
    say "ready: $VENV/bin/python"
}

stamp() { echo "$2" >"$1.part" && mv "$1.part" "$1"; }

say() { echo "env: $*"; }
die() { echo "env: $*" >&2; exit 1; }
pip() { "$VENV/bin/python" -m pip --disable-pip-version-check -qq "$@"; }

check_python() {
    command -v "$PYTHON" >/dev/null || die "no $PYTHON on PATH; name a Python of 3.11 or later: make env PYTHON=..."
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "$("$PYTHON" -V) found, 3.11 or later needed; name one: make env PYTHON=..."
    # the one below an activated environment, which may be the .venv that is about to go
    PYTHON=$("$PYTHON" -c 'import sys; print(sys._base_executable)')
}

# What the environment was made from; a .venv holds absolute paths, so its place belongs to it.
fingerprint() {
    { pwd -P; "$PYTHON" -VV; mpi_version; cat pyproject.toml setup.py "$CONSTRAINTS" .ci/env.sh; } | sha256sum | cut -d' ' -f1
}

kernels_fingerprint() { cat "$KERNELS"/*.[ch] | sha256sum | cut -d' ' -f1; }

# In its place, as the editable installation has it. A Python that has the earlier one loaded keeps it.
build_kernels() {
    local wanted
    wanted=$(kernels_fingerprint)
    if [ -f "$BUILT" ] && [ -f "$KERNELS_STAMP" ] && [ "$(cat "$KERNELS_STAMP")" = "$wanted" ]; then
        return
    fi
    say "building the kernels"
    rm -f "$KERNELS_STAMP"
    "$VENV/bin/python" -W ignore setup.py -q build_ext --inplace --force
    stamp "$KERNELS_STAMP" "$wanted"
}

install_debian_packages() {
    local missing=()
    command -v gcc >/dev/null || missing+=(gcc libc6-dev)
    command -v pkg-config >/dev/null || missing+=(pkg-config)
    command -v mpiexec.openmpi >/dev/null || missing+=(openmpi-bin)
    command -v mpicc.openmpi >/dev/null || missing+=(libopenmpi-dev)
    pkg-config --exists hdf5-openmpi 2>/dev/null || missing+=(libhdf5-openmpi-dev)
    "$PYTHON" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    [ -f "$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')/Python.h" ] || missing+=(python3-dev)
    bash .ci/apt_install.sh "${missing[@]}"
}

mpi_version() { mpicc.openmpi --showme:version | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1; }

# Without a stamp a .venv is half made, by us or by somebody else: it goes. With an old one it is brought up to date.
make_venv() {
    if [ -f "$STAMP" ] && [ "$("$VENV/bin/python" -VV 2>/dev/null)" = "$("$PYTHON" -VV)" ] &&
        [ "$("$VENV/bin/python" -c 'import sys; print(sys.prefix)')" = "$(pwd -P)/$VENV" ]; then
        rm "$STAMP"
    else
        say "making $VENV"
        rm -rf "$VENV"
        "$PYTHON" -m venv "$VENV"
    fi
    pip install -c "$CONSTRAINTS" --upgrade pip setuptools wheel
}

# h5py is built once for each combination of Python, h5py, HDF5 and MPI and kept outside the tree: pip's own cache can
# hand out a serial wheel of the same name. No build isolation: it would compile mpi4py as well.
install_h5py() {
    local version key kept building
    version=$(sed -n 's/^h5py==//p' "$CONSTRAINTS")
    key=$("$VENV/bin/python" -c 'import sys, sysconfig
print(f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}")')
    key=$key-h5py_$version-hdf5_$(pkg-config --modversion hdf5-openmpi)-openmpi_$(mpi_version)
    kept=$CACHE/wheels/$key
    pip install -c "$CONSTRAINTS" numpy mpi4py
    if ! ls "$kept"/h5py-*.whl >/dev/null 2>&1; then
        say "building h5py $version against Open MPI $(mpi_version), about two minutes, kept in $kept"
        pip install -c "$CONSTRAINTS" Cython pkgconfig
        mkdir -p "$CACHE/wheels"
        find "$CACHE/wheels" -maxdepth 1 -name 'building.*' -mmin +120 -exec rm -rf {} +    # of killed builds
        building=$(mktemp -d "$CACHE/wheels/building.XXXXXX")
        trap 'rm -rf "$building"' EXIT
        CC=mpicc.openmpi HDF5_MPI=ON HDF5_PKGCONFIG_NAME=hdf5-openmpi CFLAGS="-O1 -g0" \
            pip wheel --no-cache-dir --no-deps --no-build-isolation --no-binary=h5py -w "$building" "h5py==$version"
        rm -rf "$kept"
        mv "$building" "$kept"
        trap - EXIT
    fi
    pip install --no-deps --no-index --force-reinstall "$kept"/h5py-*.whl
}

main
