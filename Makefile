# `make run` sets everything up and runs the workflow; `make test` sets everything up and tests it.
PYTHON ?= python3
CORES ?= $(shell nproc)
BIN := .venv/bin

.PHONY: run test test-all lint format setup bench clean

run: setup
	@$(BIN)/snakemake --cores $(CORES)

test: setup
	$(BIN)/pytest -n $(CORES)

test-all: setup
	$(BIN)/pytest -n $(CORES) -m "slow or not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check workflow
	$(BIN)/mypy
	@# Rules name no environment: all share the one that constraints.txt pins.
	! $(BIN)/snakemake --lint 2>&1 | grep '^    \* ' | grep -v 'Specify a conda environment'

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflow

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@echo "Setting up the environment in .venv (once; some minutes)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

clean:
	rm -rf .venv
