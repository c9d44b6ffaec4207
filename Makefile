# `make run` sets everything up and runs the workflow; `make test` sets everything up and tests it.
PYTHON ?= python3
CORES ?= $(shell nproc)
BIN := .venv/bin

# What `snakemake --lint` says and why it stays: all rules share the one environment that
# constraints.txt pins; "/test.csv" is the end of a path, not a path; small input functions stand
# with the rules that use them; PATH is set, not read, for jobs.
EXCEPTIONS := 'conda environment|Absolute path "/|Mixed rules and functions|variable PATH'

.PHONY: run test test-all fuzz bench lint format setup clean

run: setup
	@$(BIN)/snakemake --cores $(CORES)

test: setup
	$(BIN)/pytest -n $(CORES) --dist loadgroup

test-all: setup
	$(BIN)/pytest -n $(CORES) --dist loadgroup -m "slow or not slow"

# Randomly damaged tables and images; what breaks a reader is kept in .fuzz/: make fuzz FUZZ_SECONDS=600
FUZZ_SECONDS ?= 60
fuzz: setup
	$(BIN)/python tests/helpers/fuzzing.py --seconds $(FUZZ_SECONDS)

# All sections of benchmarks/RESULTS.md, or one: make bench BENCH=sequence
bench: setup
	@for name in $(or $(BENCH),$(patsubst benchmarks/bench_%.py,%,$(wildcard benchmarks/bench_*.py))); \
		do $(BIN)/python benchmarks/bench_$$name.py || exit 1; done

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check workflow
	$(BIN)/mypy
	! $(BIN)/snakemake --lint 2>&1 | grep '^    \* ' | grep -vE $(EXCEPTIONS)

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflow

setup: .venv/ready

# First all that requirements.lock knows by its hash, then this project, with what a build of torch
# for GPUs brings along.
.venv/ready: pyproject.toml constraints.txt requirements.lock
	@echo "Setting up the environment in .venv (once; some minutes)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation --editable ".[dev]"
	$(BIN)/python -m triage_workflow.engines.site_cache
	@touch $@

clean:
	rm -rf .venv
