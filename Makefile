# Everything one does with a checkout. `make help` lists it. Needs Python 3.11 or newer, git and make; the rest it fetches.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 5
# Words for a person to choose: neither make nor the shell reads them as a program.
override PROMPT := $(value PROMPT)
export PROMPT
DEMO_ARGS = $(if $(ONCE),--once) $(if $(PROMPT),--prompt "$$PROMPT")

.DEFAULT_GOAL := help
# Child processes start four times as fast when they may keep their compiled modules.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help run test test-fast test-matrix check fix bench lock clean

help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(VENV)/.run ## Show it: two paid generations, then keep serving (ONCE=1 ends; PROMPT="…" sets the prompt)
	@$(BIN)/mutoscope demo $(DEMO_ARGS)

test: check ## The gates and the test suite, on SQLite and PostgreSQL
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -q

test-fast: $(VENV)/.dev ## The suite without its slow tests
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -q -m "not slow"

test-matrix: $(VENV)/.dev ## Crashes and faults with every engine on every database
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -q --matrix tests/crash tests/generations/test_faults.py tests/inngest

check: $(VENV)/.dev ## Lint, format, types, imports
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/lint-imports --no-cache > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	$(BIN)/pyright

fix: $(VENV)/.dev ## Format, and mend what can be mended by itself
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format --quiet

bench: $(VENV)/.dev ## Run one benchmark: make bench NAME=accept (also: pipeline, memory, parked)
	@test -n "$(NAME)" || { echo "Say which: make bench NAME=accept|pipeline|memory|parked" >&2; exit 2; }
	@$(BIN)/python -m bench.$(NAME) $(ARGS)

lock: $(VENV)/.uv ## Resolve the dependencies anew and write them down with their hashes
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header -q --upgrade --python-version 3.11 \
	  pyproject.toml --extra postgres --extra fast --extra runner -o requirements/run.txt
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header -q --upgrade --python-version 3.11 \
	  pyproject.toml --group dev --extra postgres --extra fast --extra inngest --extra runner -o requirements/dev.txt

clean: ## Remove what was set up, and the demo's data
	rm -rf $(VENV) .mutoscope .pytest_cache .ruff_cache .hypothesis

$(VENV)/.uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.run: $(VENV)/.uv requirements/run.txt pyproject.toml
	@test -e $(VENV)/.dev || $(BIN)/uv pip install --quiet --require-hashes -r requirements/run.txt
	@$(BIN)/uv pip install --quiet --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.uv requirements/dev.txt pyproject.toml tests/clients/js/package-lock.json
	@$(BIN)/uv pip install --quiet --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --no-deps -e .
	@$(BIN)/python -m tests.clients.node
	@touch $@
