# Plaudit. Each of these works alone on a machine that has Python 3.11 or later with pip, and make.

PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null || echo .venv/bin/uv)

# Compiled modules are kept, whatever the machine says: a server's start reads a thousand of them in each process.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run test model mutants check docs verify bench lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(BIN)/.installed ## create the environment in .venv

$(BIN)/.installed: pyproject.toml clients/python/pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x "$(UV)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(CURDIR)/.venv $(UV) pip sync --quiet --compile-bytecode requirements.lock
	VIRTUAL_ENV=$(CURDIR)/.venv $(UV) pip install --quiet --no-deps --editable . --editable clients/python
	touch $@

run: install ## run a server on http://127.0.0.1:8000, with its own PostgreSQL and a demo programme
	$(BIN)/plaudit serve

test: install ## run all tests
	$(BIN)/python -m pytest -n 3 --dist worksteal

model: install ## compare random histories with a slow model; HISTORIES=20000, SEED= repeats a run
	PLAUDIT_MODEL_HISTORIES=$(or $(HISTORIES),20000) PLAUDIT_MODEL_SEED=$(SEED) $(BIN)/python -m pytest -n 2 --dist worksteal -rP tests/model

mutants: install ## change one thing of the rules at a time; a test must fail; SAMPLE=200 (0: all), PLACES=, SEED=
	$(BIN)/python -m tests.mutants --sample $(or $(SAMPLE),200) --seed $(or $(SEED),0) $(PLACES)

check: install ## check style, types and generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/pyright --project tests
	$(BIN)/lint-imports --no-cache
	$(BIN)/python docs/generate.py --check
	$(BIN)/python clients/generate.py --check

docs: install ## regenerate docs/reference and the clients' operations (TypeScript's with Node.js)
	$(BIN)/python docs/generate.py
	$(BIN)/python clients/generate.py

verify: install ## check the invariants of the server in ./.plaudit
	$(BIN)/plaudit verify

bench: install ## run the benchmarks: ratios, measured side by side
	$(BIN)/python -m bench

lock: install ## update the pinned dependencies
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate --group dev pyproject.toml -o requirements.lock

clean: ## remove the environment and what tools leave behind
	rm -rf .venv .ruff_cache .import_linter_cache .hypothesis
