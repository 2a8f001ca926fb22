# Everything a newcomer types. `make` alone says what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
PY := .venv/bin/python
# Debian has Open MPI's launcher under this name also where another MPI is the default.
MPIEXEC ?= $(shell command -v mpiexec.openmpi || echo mpiexec)
# One thread a rank, unless the caller has said otherwise.
OMP_NUM_THREADS ?= 1
export OMP_NUM_THREADS
# Open MPI refuses to start as root without being told twice.
ifeq ($(shell id -u),0)
export OMPI_ALLOW_RUN_AS_ROOT := 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM := 1
endif
# More ranks than cores only where the machine has too few.
SPARE := $(if $(filter 1,$(shell env -u OMP_NUM_THREADS nproc)),--oversubscribe)
# A parallel test that hangs is ended from outside; 2 minutes later without mercy.
PARALLEL_TESTS := $(PY) -m pytest --with-mpi -m mpi tests/parallel
LIMIT := timeout --kill-after=120 1200
# How long `make faults` is, and which random moments it takes.
ROUNDS ?= 300
SEED ?= 1
SOAK ?= 5000

# Processes that run the serial tests: these wait more than they compute. A file's tests stay together, with their
# fixtures, and the slow ones come first: many small ones fill up the end.
WORKERS ?= 6
SLOW := tests/faults tests/launched tests/slurm tests/notebook

.PHONY: help env demo check test torch docs tutorial dist busy faults bench fuzz sanitize image lint clean

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

env: ## .venv and whatever it needs (MPI, parallel HDF5); builds the kernels in C
	@PYTHON=$(PYTHON) bash .ci/env.sh

demo: env ## docking poses to graphs on two MPI ranks, into demo/run
	@test -e demo/7DAA.pdb -a -e demo/poses || { rm -rf demo/poses && \
	    $(PY) -m stagea_mpi.demo.poses demo/poses --reference demo/7DAA.pdb; }
	$(MPIEXEC) -n 2 $(SPARE) $(PY) -m stagea_mpi run jobs/demo.yaml
	@echo; echo "demo/run:"
	@cd demo/run && find . -type f -printf '%P\t%s bytes\n' | sort | sed 's/^/  /' | expand -t 52

check: env ## lint and the fast tests, in about a minute: while you work
	@$(MAKE) --no-print-directory lint
	$(PY) -m pytest -q -m "not mpi and not slow" -n 3 --dist loadfile tests

test: env ## lint, then the serial tests, then the parallel ones on two and three ranks
	@bash .ci/test_packages.sh
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m pytest --doctest-modules -q stagea_mpi
	$(PY) -m pytest -m "not mpi" -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(SLOW) tests
	$(LIMIT) $(MPIEXEC) -n 2 $(SPARE) $(PARALLEL_TESTS)
	$(LIMIT) $(MPIEXEC) -n 3 --oversubscribe $(PARALLEL_TESTS)

torch: env ## tests of PyTorch's tensors, with its wheel for CPUs where pip can have it
	@bash .ci/torch_tests.sh

docs: env ## the documentation as a site, in build/site
	@mkdir -p build/pages
	$(PY) -m sphinx -q -W --keep-going -c docs/site -d build/doctrees build/pages build/site
	@echo "build/site/index.html"

tutorial: demo ## the notebooks executed on that run: the site then has what they print and draw
	$(PY) -m nbconvert --log-level WARN --to notebook --execute --output-dir build/notebooks notebooks/*.ipynb

dist: ## sdist and wheel, checked by twine, in build/dist; their tools in an environment of their own
	@test -x build/release/bin/twine || { $(PYTHON) -m venv build/release && build/release/bin/pip -q install build twine; }
	@rm -rf build/dist
	build/release/bin/python -m build -q --outdir build/dist .
	build/release/bin/twine check --strict build/dist/*

busy: ## the tests, while another process keeps each core busy
	@trap 'kill $$(jobs -p)' EXIT; for core in $$(seq $$(env -u OMP_NUM_THREADS nproc)); do \
	    $(PYTHON) -c 'while True: pass' & done; $(MAKE) test

faults: env ## hundreds of kills at random moments, full disks, and thousands of models in one process
	FAULT_ROUNDS=$(ROUNDS) FAULT_SEED=$(SEED) SOAK_MODELS=$(SOAK) $(PY) -m pytest tests/faults

bench: env ## what each part of a model costs beside its reference, numbering, and whole runs on one and two ranks
	$(PY) -m benchmarks

fuzz: env ## ten minutes of mutated input files; what is not explained goes to build/fuzz
	$(PY) -m tests.fuzz --seconds 600 --workers 2

# The package with its kernels watched by the compiler's sanitizers, in a place of its own. Python is not built for these,
# so they are loaded first, and C++ with them for its exceptions; leaks, of which Python has many, are not looked for.
SANITIZED := build/sanitize
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all
preloaded = $(shell gcc -print-file-name=libasan.so) $(shell gcc -print-file-name=libstdc++.so.6)

sanitize: env ## the kernels' tests and mutated files, with each access to memory and each operation in C watched
	@rm -rf $(SANITIZED)
	@CFLAGS="$(SANITIZERS) -g" LDFLAGS="$(SANITIZERS)" $(PY) -W ignore setup.py -q \
	    build --build-lib $(SANITIZED)/lib --build-temp $(SANITIZED)/objects --force
	@export PYTHONPATH=$(CURDIR)/$(SANITIZED)/lib LD_PRELOAD="$(preloaded)" UBSAN_OPTIONS=print_stacktrace=1:log_path=$(CURDIR)/$(SANITIZED)/report \
	    ASAN_OPTIONS=detect_leaks=0:log_path=$(CURDIR)/$(SANITIZED)/report; \
	.venv/bin/python -P -c 'from stagea_mpi.kernels import compiled; assert "/$(SANITIZED)/" in compiled.__file__' && \
	.venv/bin/pytest -q -p no:cacheprovider -n 2 tests/kernels tests/structure tests/graph tests/fuzz; \
	status=$$?; unset LD_PRELOAD; ! cat $(SANITIZED)/report.* 2>/dev/null && exit $$status

image: env ## the steps of jobs/Containerfile, taken in folders; as root, with a network, in some minutes
	@command -v debootstrap >/dev/null || bash .ci/apt_install.sh debootstrap
	BUILD_IMAGE=1 $(PY) -m pytest tests/image

lint: env ## what ruff and mypy find
	$(PY) -m ruff check .
	$(PY) -m mypy

clean: ## removes what make has made here (what was built stays in the user's cache)
	rm -rf .venv demo build *.egg-info stagea_mpi/kernels/*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
