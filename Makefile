# `make run` and `make test` work from a fresh clone, with Python >= 3.11, make and a C compiler.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
N ?= 200
JOBS ?= 2
SEED ?= 1
COUNT ?= 200
SEEDS ?= 100

# The first Python on the path that is new enough and can make a virtual environment.
PYTHON ?= $(shell for p in python3 python python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)

# Stamps: an install is done again only when pyproject.toml changed, so the second run is offline.
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
INSTALLED_BENCH := $(VENV)/.installed-bench

.PHONY: help run test lint types layers check suite bench bench-full bench-peers bench-falls bench-million \
	bench-growth torture faults flips powercut mutants conformance simulate pykka-suite clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: $(INSTALLED) ## set up if needed, then run the main scenario
	$(BIN)/perdure run scenarios/library_survey

test: check suite ## set up if needed, then lint, types, layers and the whole test suite

check: lint types layers ## everything but the suite

lint: $(INSTALLED_DEV) ## format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED_DEV) ## mypy --strict
	$(BIN)/mypy --strict perdure

layers: $(INSTALLED_DEV) ## imports flow one way, each outside library has one door
	$(BIN)/lint-imports --no-logo

suite: $(INSTALLED_DEV) ## the tests
	$(PY) -m pytest -n $(JOBS)

bench: $(INSTALLED_DEV) ## what everything costs, beside raw LMDB and plain Pykka, with the goals
	$(PY) -m benchmarks.bench

bench-full: $(INSTALLED_DEV) ## the same with a million agents, too
	$(PY) -m benchmarks.bench --full

bench-peers: $(INSTALLED_DEV) ## durable steps beside DBOS, LangGraph, Restate and others
	$(PY) -m benchmarks.bench_peers

bench-million: $(INSTALLED_DEV) ## keeping a ledger of a million turns: each verb, and the run beside it
	$(PY) -m benchmarks.million build/million --write

bench-growth: $(INSTALLED_BENCH) ## what a turn costs with a million agents, and with ten million records behind it
	$(PY) -m benchmarks.growth build/growth --write

bench-falls: $(INSTALLED_DEV) ## what crashes and restarts cost, beside OTP where Erlang is installed
	$(PY) -m benchmarks.falls --write

torture: $(INSTALLED_DEV) ## kill -9 and resume, N times
	$(PY) tests/torture.py --n $(N)

flips: $(INSTALLED_DEV) ## flip bytes of a ledger N times, and look with every verb
	$(PY) tests/cli/flips.py --n $(N)

powercut: $(INSTALLED_DEV) ## cut the power N times: what was not synced is lost, torn or reordered
	$(PY) tests/crashes/powercut.py --n $(N)

faults: $(INSTALLED_DEV) ## a crash at every write of runs that do everything
	FAULTS_EVERY=1 KILLS_EVERY=1 $(PY) -m pytest -q -n $(JOBS) tests/crashes

mutants: $(INSTALLED_DEV) ## break perdure on purpose: each named test must notice
	$(PY) tests/mutants/run.py

conformance: $(INSTALLED_DEV) ## perdure beside Erlang's OTP: SEED=1 COUNT=200
	$(PY) -m tests.conformance.check --seed $(SEED) --count $(COUNT)

simulate: $(INSTALLED) ## perdure in a world that attacks it: SEED=1 SEEDS=100
	$(BIN)/perdure simulate world --seed $(SEED) --seeds $(SEEDS)

pykka-suite: $(INSTALLED_DEV) ## Pykka's own test suite on HostedActor
	$(PY) -P tests/pykka_suite.py

clean: ## remove what tools made; runs and the virtual environment stay
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml | $(PY)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(INSTALLED_DEV): pyproject.toml | $(PY)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(INSTALLED) $@

$(INSTALLED_BENCH): pyproject.toml | $(INSTALLED_DEV)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

$(PY):
	@test -n "$(PYTHON)" || { echo "perdure needs Python >= 3.11 with venv and ensurepip on the" \
		"path; or say where it is: make PYTHON=/path/to/python3" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
