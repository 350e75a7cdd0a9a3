# The two commands: `make train` and `make test`; `make bench` beside the peers. They need Python >= 3.11, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: train test reproduce bench records load torture fuzz planted clean

train: $(VENV)/installed
	$(BIN)/chainrule train --recipe fast

test: $(VENV)/testable
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist worksteal --cov --cov-report=term

reproduce: $(VENV)/installed
	$(BIN)/chainrule reproduce all

bench: $(VENV)/benchable
	$(BIN)/python -m benchmarks.speed --write docs

records: $(VENV)/installed
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m benchmarks.accuracy --write

load: $(VENV)/testable
	$(BIN)/python -m benchmarks.service

torture: $(VENV)/testable
	$(BIN)/python -m stress.kill

fuzz: $(VENV)/testable
	$(BIN)/python -m stress.fuzz --inputs 1000000

planted: $(VENV)/testable
	$(BIN)/python stress/mutants/run.py

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

$(VENV)/benchable: $(VENV)/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
