#!/usr/bin/env bash
# Tests of PyTorch's tensors. PyTorch is no dependency: its wheel for CPUs (200 MB, 1 GB unpacked) is fetched once into a folder
# of the cache, where pip can have it; where it cannot, these tests are skipped, and the same arrays are tested without it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=.venv/bin/python
packages=(torch==2.13.0+cpu torch_geometric==2.8.1)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/stagea_mpi/torch-2.13.0-$("$python" -c 'import sys; print(sys.implementation.cache_tag)')
if [ ! -d "$folder" ]; then
    echo "installing ${packages[*]} into $folder"
    rm -rf "$folder.part"
    if ! "$python" -m pip --disable-pip-version-check -qq install --no-compile --target "$folder.part" "${packages[@]}"; then
        echo "${packages[0]} cannot be had here: tests of PyTorch's tensors are skipped"
        rm -rf "$folder.part"
        exit 0
    fi
    mv "$folder.part" "$folder"
fi
# Behind .venv's own packages, and not in it: mypy would go through all of PyTorch.
exec "$python" -c 'import sys, pytest; sys.path.append(sys.argv.pop(1)); sys.exit(pytest.main())' "$folder" \
    -q tests/training/test_tensors.py tests/notebook/test_explore.py
