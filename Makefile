# `make run` sets everything up and runs the workflow; `make test` sets everything up and tests it.
PYTHON ?= python3
CORES ?= $(shell nproc)
BIN := .venv/bin

# What `snakemake --lint` says and why it stays: all rules share the one environment that
# constraints.txt pins; "/test.csv" is the end of a path, not a path; small input functions stand
# with the rules that use them; PATH is set, not read, for jobs.
EXCEPTIONS := 'conda environment|Absolute path "/|Mixed rules and functions|variable PATH'

# Snakemake and DVC keep a cache at home, which some machines do not let them.
ifneq ($(shell test -w "$(HOME)" && echo yes),yes)
export XDG_CACHE_HOME ?= $(CURDIR)/.snakemake/cache
endif

.PHONY: run test test-all compat fuzz bench lint format docs pictures setup lock audit clean

run: setup
	@$(BIN)/snakemake --cores $(CORES)

test: setup
	$(BIN)/pytest -n $(CORES) --dist loadgroup

test-all: setup
	$(BIN)/pytest -n $(CORES) --dist loadgroup -m "slow or not slow"

# The matrix of situations with the oldest and the newest Snakemake and DVC that are allowed.
COMPAT ?= oldest newest
compat: setup
	$(BIN)/python tests/compat.py $(COMPAT)

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

# The documentation as a site, in site/; a link that leads nowhere stops it.
docs: setup
	$(BIN)/mkdocs build --strict --quiet

# The pictures in docs/images, from the results that are there; needs chromium and chromedriver.
pictures: setup
	$(BIN)/python tests/helpers/pictures.py

setup: .venv/ready

# Nothing is installed but files whose SHA-256 is in a lock. What builds the one package that comes as
# source goes first; what a build of torch for GPUs needs comes from a lock of its own.
INSTALL := $(BIN)/python -m pip install --quiet --no-deps
.venv/ready: pyproject.toml constraints.txt requirements.lock requirements-gpu.lock
	@echo "Setting up the environment in .venv (once; some minutes)"
	$(PYTHON) -m venv .venv
	sed -n '/^setuptools==/,/[0-9a-f]$$/p' requirements.lock > .venv/build.lock
	$(INSTALL) --require-hashes --requirement .venv/build.lock
	$(INSTALL) --require-hashes --no-build-isolation --requirement requirements.lock
	if $(BIN)/python -c "import importlib.metadata as m; exit('cuda' not in str(m.requires('torch')))"; \
		then $(INSTALL) --require-hashes --requirement requirements-gpu.lock; fi
	$(INSTALL) --no-build-isolation --editable .
	$(BIN)/python -m pip check
	$(BIN)/python -m triage_workflow.engines.site_cache
	@touch $@

# After a change of constraints.txt: both locks anew, with uv, which is to be installed. The build of
# torch without CUDA lies beside the others in no index, so its hash (x86-64, Python 3.11) stands here.
TORCH_CPU := 6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b
COMPILE := uv pip compile --quiet --generate-hashes --no-annotate --universal --python-version 3.11 \
	--custom-compile-command "make lock"
lock:
	@$(COMPILE) --no-deps constraints.txt --output-file requirements.lock
	@grep -q $(TORCH_CPU) requirements.lock || \
		sed -i 's/^torch==.*/&\n    --hash=sha256:$(TORCH_CPU) \\/' requirements.lock
	@grep '^torch==' constraints.txt | $(COMPILE) - --constraint constraints.txt \
		$(shell sed -n 's/==.*//p' constraints.txt | sed 's/^/--no-emit-package /') \
		--output-file requirements-gpu.lock

# Known weaknesses of all that the locks name.
audit:
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet pip-audit
	.audit/bin/pip-audit --disable-pip --require-hashes --requirement requirements.lock
	.audit/bin/pip-audit --disable-pip --require-hashes --requirement requirements-gpu.lock

clean:
	rm -rf .venv
