# Two commands do everything on a fresh machine: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Many tests wait for other processes: two more at work than there are cores.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 2)))

.DEFAULT_GOAL := help
.PHONY: help demo up test check docs benchmarks constraints clean

help: ## Show this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -q -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -q -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.runtime

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -q -c constraints.txt -e '.[bench]'
	@touch $@ $(VENV)/.dev $(VENV)/.runtime

demo: $(VENV)/.runtime ## Run the main job offline, from the provider to the marts, and show what came out
	$(BIN)/salescience demo

up: $(VENV)/.runtime ## Start sandbox, code locations, daemon and the Dagster UI on 127.0.0.1:3000
	$(BIN)/salescience up

# By file, in order: fixtures of a module are made once, and the long files come first.
test: $(VENV)/.dev ## Run all tests: no network, no service to start by hand
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev ## Style, types, architecture and generated documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/salescience docs --check

docs: $(VENV)/.runtime ## Write the data dictionary and dbt's sources from the catalogue
	$(BIN)/salescience docs

benchmarks: $(VENV)/.bench ## Print every figure beside its peer's (an hour or so)
	for name in load lake gate breaker acquire backfill jobs documents gateway; do $(BIN)/python -m benchmarks.$$name || exit 1; done

constraints: $(VENV)/.bench ## Write constraints.txt from what is installed: names and versions, no addresses
	@{ sed -n '/^#/p' constraints.txt; $(PIP) freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==' | tr A-Z a-z | sort; } > constraints.new
	@mv constraints.new constraints.txt

clean: ## Remove what was built and fetched (the environment stays)
	rm -rf .salescience dbt/target dbt/logs build *.egg-info
