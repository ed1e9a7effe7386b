# Everything this project can be told to do. Needs make, git and Python 3.11 or newer; all else goes into .venv.
# ARGS is handed on: make demo ARGS=--exit, make up ARGS='--port 3001', make test ARGS='-k cancel'.

BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
PYTHONS := $(PYTHON) python3.14 python3.13 python3.12 python3.11 python3 python
RECENT := import sys; sys.exit(sys.version_info < (3, 11))
SUITABLE := import ensurepip, ssl, sqlite3, venv; $(RECENT)
# A folder whose interpreter is gone (moved, or Python upgraded) is made anew.
USABLE := $(if $(wildcard $(BIN)/python),,remake)

.DEFAULT_GOAL := help
.PHONY: help demo up install tools test chaos model crashes joins guards check lint format lock clean remake

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: install  ## start everything and run the example pipeline (ARGS=--exit: stop after the build)
	@$(BIN)/buildserver demo $(ARGS)

up: install  ## start everything on this machine and stay
	@$(BIN)/buildserver up $(ARGS)

install: .venv/installed  ## make .venv with the buildserver command

tools: .venv/tools  ## install, and what the tests and checks need

test: tools  ## run every test
	@$(BIN)/pytest -n auto $(ARGS)

chaos: tools  ## a storm of faults over real programs (SEED=7 BUILDS=20 SECONDS=60 STORMS=1)
	@$(BIN)/python -m tests.chaos --seed $(or $(SEED),1) --builds $(or $(BUILDS),20) --seconds $(or $(SECONDS),60) \
		--storms $(or $(STORMS),1) $(ARGS)

model: tools  ## every order of events of small builds, on the code that decides
	@$(BIN)/python -m tests.model

crashes: tools  ## a crash before and after every statement, commit and broker call of a build, on both databases
	@$(BIN)/python -m tests.crashes --database sqlite $(ARGS)
	@$(BIN)/python -m tests.crashes --database postgresql $(ARGS)

joins: tools  ## joins whose siblings all end at once, counted (JOINS=10000 DATABASE=sqlite)
	@$(BIN)/python -m tests.joins --joins $(or $(JOINS),10000) --database $(or $(DATABASE),postgresql) $(ARGS)

guards: tools  ## take out each guard and see which test notices (ARGS="--only 'claim key'")
	@$(BIN)/python -m tests.guards $(ARGS)

check: lint test  ## lint, format, types, imports, compose file, tests: what CI runs

lint: tools  ## what check runs before the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if docker compose version >/dev/null 2>&1; then docker compose config --quiet; \
	elif command -v docker-compose >/dev/null; then docker-compose config --quiet; \
	else echo 'No docker compose here: its file is checked by the tests only'; fi

format: tools  ## let ruff format and sort what it can
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

lock: setup.cfg  ## resolve setup.cfg anew into the two lock files (needs uv)
	@command -v uv >/dev/null || { echo 'make lock needs uv: pip install uv' >&2; exit 1; }
	echo 'setuptools>=77' | uv pip compile $(LOCK_WORDS) --output-file requirements.lock pyproject.toml -
	echo 'setuptools>=77' | uv pip compile $(LOCK_WORDS) --output-file requirements-test.lock \
		--extra test --constraint requirements.lock pyproject.toml -

clean:  ## remove .venv and everything else that was made here
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

LOCK_WORDS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make lock'

.venv/created: $(USABLE)
	@for name in $(PYTHONS); do \
		if $$name -c '$(SUITABLE)' 2>/dev/null; then found=$$name; break; fi; \
		if [ -z "$$bare" ] && $$name -c '$(RECENT)' 2>/dev/null; then bare=$$name; fi; \
	done; \
	if [ -n "$$found" ]; then \
		echo "Making .venv with $$($$found --version)" && $$found -m venv --clear .venv && touch $@; \
	elif [ -n "$$bare" ]; then \
		echo "$$($$bare --version) cannot make virtual environments: install its venv package" \
			"(Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; \
	else \
		echo "Build Server needs Python 3.11 or newer;" \
			"found: $$(python3 --version 2>/dev/null || echo none)" >&2; exit 1; \
	fi

.venv/installed: .venv/created requirements.lock setup.cfg pyproject.toml
	@echo 'Installing Build Server into .venv'
	@$(PIP) install --require-hashes --no-deps -r requirements.lock
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

.venv/tools: .venv/installed requirements-test.lock
	@echo 'Installing the tools for tests and checks into .venv'
	@$(PIP) install --require-hashes --no-deps -r requirements-test.lock
	@touch $@
