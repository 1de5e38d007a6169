# Every recipe runs from a plain checkout: Python 3.11 to 3.13 and make; docs/local-stack.md says what Kafka needs.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=
FAULTS_ARGS ?=
POSTGRES15 ?= /usr/lib/postgresql/15/bin
UV ?= uv
COMPILE := $(UV) pip compile --generate-hashes --universal --python-version 3.11 --no-header --no-emit-index-url \
    --no-emit-find-links --no-annotate --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo up down test test-faults test15 lint format bench requirements

help:  ## Show what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.installed  ## Make the environment .venv; again only when what it is made from has changed

demo: setup  ## Run the demonstration (DEMO_ARGS=… are its options)
	$(BIN)/squad demo $(DEMO_ARGS)

up: setup  ## Start PostgreSQL and Kafka on this machine
	$(BIN)/squad up

down: setup  ## Stop them
	$(BIN)/squad down

test: lint  ## Hold the code against every rule, then run all tests (PYTEST_ARGS=… are pytest's options)
	$(BIN)/pytest $(PYTEST_ARGS)

test-faults: setup  ## Run all fault runs, the long ones too; says first how long (FAULTS_ARGS=--list shows all)
	$(BIN)/python -m tests.faults $(FAULTS_ARGS)

test15: setup  ## Run the tests of the database on PostgreSQL 15, where its programs are
	SQUAD_STACK=embedded SQUAD_STACK_POSTGRES_BIN=$(POSTGRES15) $(BIN)/pytest $(PYTEST_ARGS) \
	  tests/migrations tests/integration --ignore=tests/integration/stack

lint: setup  ## Hold the code against the rules: ruff, mypy, who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-logo

format: setup  ## Bring the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## Run a benchmark (BENCH_ARGS=--list shows all; a name and options run another)
	$(BIN)/python -m bench $(BENCH_ARGS)

requirements:  ## Pin the dependencies anew, with hashes; versions stay unless pyproject.toml refuses them
	@command -v $(UV) >/dev/null || { \
	  echo "uv is not on the PATH: install it (https://docs.astral.sh/uv/), or say UV=/path/to/uv." >&2; exit 1; }
	$(COMPILE) pyproject.toml --extra api -o requirements/runtime.txt
	$(COMPILE) pyproject.toml --all-extras --group dev -c requirements/runtime.txt -o requirements/dev.txt
	printf 'hatchling\n' | $(COMPILE) - -c requirements/dev.txt -o requirements/build.txt
	for wanted in bench/peers/*/requirements.in; do \
	  $(COMPILE) $$wanted -c requirements/runtime.txt -o $${wanted%.in}.txt || exit 1; done

$(VENV)/.installed: pyproject.toml client/pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "Python 3.11, 3.12 or 3.13 is needed, but $(PYTHON) is: $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e ./client
	@touch $@
