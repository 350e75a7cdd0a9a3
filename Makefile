# The two commands: `make train` and `make test`; `make help` lists the others. They need Python >= 3.11, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
LOWEST_TESTS := tests/core tests/nn tests/optim tests/data/test_images.py tests/data/test_tabular.py \
  tests/service/test_predictions.py tests/service/test_refusals.py tests/cli/test_predict.py
PYTEST := $(BIN)/pytest --numprocesses auto --dist worksteal

# The tests start hundreds of processes; without bytecode files each would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help train test quick check format stress long fuzz kill recovery tamper allocations \
  sizes mutants load hostile clients torture planted lowest reproduce bench records hooks clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

train: $(VENV)/installed ## install, fetch MNIST, train, report
	$(BIN)/chainrule train --recipe fast

test: check ## format, lint, types, tests: 5 minutes; with COVERAGE=1 coverage too, as in CI
	$(PYTEST) -m 'not long' $(if $(COVERAGE),--cov --cov-report=term)

quick: check ## the same with the tests of the core, the layers and the optimizers only: under a minute
	$(PYTEST) -m 'not long' tests/core tests/nn tests/optim tests/project/test_rooms.py

check: $(VENV)/testable ## format, lint and types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

format: $(VENV)/testable ## put the code into its form, and mend what the linter can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

stress: $(VENV)/testable ## all of the following in full, in one table: hours; a short form: make stress SHORT=1
	$(BIN)/python -m stress $(if $(SHORT),--short)

long: $(VENV)/testable ## the tests of which `make test` runs a short form
	$(PYTEST) -m long

lowest: $(LOWEST)/testable ## core, layers, readers and service with the lowest versions that the wheel allows
	$(LOWEST)/bin/pytest --numprocesses auto -m 'not long' $(LOWEST_TESTS)

fuzz: $(VENV)/testable ## a million damaged files for each reader: hours
	$(BIN)/python -m stress.fuzz --inputs 1000000

kill: $(VENV)/testable ## training killed a thousand times: 20 minutes
	$(BIN)/python -m stress.kill

recovery: $(VENV)/testable ## training killed 300 times, its newest checkpoints damaged each time: 5 minutes
	$(BIN)/python -m stress.recovery

tamper: $(VENV)/testable ## ten thousand checkpoints with wrong values under right checksums: 10 minutes
	$(BIN)/python -m stress.tamper

mutants: $(VENV)/testable ## bugs planted one after another, each of which must turn tests red: 15 minutes
	$(BIN)/python -m stress.mutants

load: $(VENV)/testable ## the service under load, and what it answers to made-up requests
	$(BIN)/python -m benchmarks.service

allocations: $(VENV)/testable ## memory that runs out at every point of a save and of a load: 10 minutes
	$(BIN)/python -m stress.allocations

sizes: $(VENV)/testable ## the largest file of each kind that is read: its time and memory: 5 minutes
	$(BIN)/python -m stress.sizes

hostile: $(VENV)/testable ## the service beside hostile clients: what others notice, what a request costs: 6 minutes
	$(BIN)/python -m stress.hostile

clients: $(VENV)/testable ## the service asked by curl, Java, Go, Node, Python and Chromium, where these are
	$(BIN)/python -m stress.clients

torture: kill
planted: mutants

reproduce: $(VENV)/installed ## the five articles
	$(BIN)/chainrule reproduce all

bench: $(VENV)/benchable ## speed beside the peers
	$(BIN)/python -m benchmarks.speed --write

records: $(VENV)/installed ## accuracy of each recipe over five seeds, those that are missing
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m benchmarks.accuracy --write

hooks: $(VENV)/testable ## format, lint and types before each commit
	$(BIN)/pip install --quiet --disable-pip-version-check pre-commit
	$(BIN)/pre-commit install

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "chainrule needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[serve]'
	@touch $@

$(VENV)/testable: $(VENV)/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/installed

$(LOWEST)/testable: pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(PYTHON) .ci/lowest.py > $(LOWEST)/versions
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check -c $(LOWEST)/versions --editable '.[test]'
	@touch $@

$(VENV)/benchable: $(VENV)/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@ $(VENV)/installed

clean: ## remove what these commands made
	rm -rf $(VENV) $(LOWEST) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
