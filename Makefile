# Every target sets up what it needs in .venv; nothing outside this folder and the tool cache is touched.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CACHE  ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/toolhive-registry
PORT   ?= 8080
export THV_TOOLS := $(CACHE)/tools
# Tests run in several processes; those of a file, or that share a cluster, stay in one. Long groups come first as sorted.
SPREAD := -n auto --dist loadgroup --no-loadscope-reorder

RUN_LOCK := $(VENV)/.locked-run
DEV_LOCK := $(VENV)/.locked-dev

.DEFAULT_GOAL := help
.PHONY: help run init test unit flows e2e fmt lint types tools bench docs gen all lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-7s %s\n", $$1, $$2}'

run: $(RUN_LOCK) ## a filled registry service on 127.0.0.1:8080 (Ctrl-C ends it and leaves nothing behind)
	@exec $(BIN)/thv dev --port $(PORT)

# One run, so that requirements without a test that passed are noticed.
test: init ## all tests
	@$(BIN)/python -m pytest $(SPREAD)

init: $(DEV_LOCK) ## set up everything for work on the code

unit: init ## tests of single rooms: no process, no network, under a minute
	@$(BIN)/python -m pytest $(SPREAD) -m 'not flows and not e2e'

flows: init ## tests of several rooms together, with real servers on loopback
	@$(BIN)/python -m pytest $(SPREAD) -m flows

e2e: init ## tests of the installed console script, with real processes and tools
	@$(BIN)/python -m pytest $(SPREAD) -m e2e

fmt: init ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix -q .

lint: init ## formatter check, linter, import contracts
	@$(BIN)/ruff format --check -q . || { echo "run: make fmt"; exit 1; }
	@$(BIN)/ruff check -q .
	@$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter

types: init ## strict type check
	@$(BIN)/mypy --cache-dir .cache/mypy

tools: init ## build the servers that tests need once, into the tool cache
	@$(BIN)/python -m tests.tools

bench: init ## the figures of the benchmarks, as ratios to a floor of the same run
	@$(BIN)/python -m bench

gen: init ## write what is generated: schemas, reference pages
	@$(BIN)/python -m tests.generate --write

docs: gen ## the reference pages and the table of requirements

all: fmt lint types test

lock: $(DEV_LOCK) ## pin the newest allowed dependencies again
	@for set in run dev; do $(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --annotation-style line requirements/$$set.in -o requirements/$$set.txt; done

clean: ## remove what was built
	@rm -rf $(VENV) .cache .coverage* dist

# The virtual environment is made once; a changed lock file is installed over it.
$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Python 3.11 or newer is needed as $(PYTHON) (Debian, Ubuntu: apt-get install python3); or: make PYTHON=python3.13 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "Python lacks venv (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@echo "setting up $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV)

$(RUN_LOCK): $(VENV)/pyvenv.cfg requirements/run.txt pyproject.toml
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(DEV_LOCK): $(RUN_LOCK) requirements/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
