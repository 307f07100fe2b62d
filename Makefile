# Needs python3 (3.11 or newer, with venv) and make; everything else comes from pip.
# Another interpreter: make setup PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup quickstart check test test-slow test-long benchmark

help:
	@echo "make setup       install into .venv"
	@echo "make quickstart  a real search in under three minutes, no download"
	@echo "make check       style, types and architecture"
	@echo "make test        the tests, in under ten minutes"
	@echo "make test-slow   clusters, faults and long runs"
	@echo "make test-long   kills at random moments, half an hour; goes on where it was interrupted"
	@echo "make benchmark   every benchmark, one JSON line each"

setup: $(STAMP)

# The stamp is younger than both files only if they have not changed since the last installation.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) > /dev/null || { echo "make: $(PYTHON) is missing; install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "make: $(PYTHON) has no venv; install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

# Finished: shows its leaderboard. Interrupted: goes on.
quickstart: setup
	$(BIN)/tuner search search_spaces/quickstart.yaml --resume

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_architecture.py

test: setup
	$(BIN)/pytest -q -m "not slow"

# pytest ends with 5, a failure, if there was nothing to run.
test-slow: setup
	$(BIN)/pytest -q -m slow

# What it measured is kept: cp build/long/reliability.jsonl benchmarks/, then docs/reliability.md takes its tables. It begins
# anew where build/long is removed.
test-long: setup
	$(BIN)/python -m tests.long.kills

# The others are no benchmark by themselves, need a GPU or the results of a search, or take hours.
benchmark: setup
	@set -e; for name in step loop overhead leaderboard driver log cluster; do $(BIN)/python benchmarks/$$name.py; done
