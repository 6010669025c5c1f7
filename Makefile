# Set up, run and test, on a machine with Python 3.11 or newer and make. HOST and PORT say where the server is.

HOST ?= 127.0.0.1
PORT ?= 8000
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run serve demo load simulate bench fuzz test test-thorough lint client screenshots clean

AT := HOST=$(HOST) PORT=$(PORT)
# HOST as URLs have it, an IPv6 address in brackets; and the one to open, which an address for all of them is not.
URL_HOST := $(if $(findstring :,$(HOST)),[$(patsubst [%],%,$(HOST))],$(HOST))
OPEN_HOST := $(patsubst 0.0.0.0,127.0.0.1,$(patsubst [::],[::1],$(URL_HOST)))

run: $(VENV)/runs
	@echo "Open http://$(OPEN_HOST):$(PORT)/ (Ctrl-C stops). To see it with traffic: make demo"
	$(BIN)/python manage.py runserver "$(URL_HOST):$(PORT)"

serve: $(VENV)/runs
	$(AT) exec $(BIN)/python -m timeseries_project.serve

# The server and simulated traffic; Ctrl-C stops both. ARGS="--rate 500" and the like go to `manage.py simulate`.
demo: $(VENV)/runs
	$(AT) exec $(BIN)/python scripts/demo.py $(ARGS)

# A file into a running server: FILE=points.csv. ARGS="--skip 1000" and the like go to `manage.py load`.
load: $(VENV)/runs
	@test -n "$(FILE)" || { echo "Name a file: make load FILE=points.csv" >&2; exit 2; }
	$(AT) $(BIN)/python manage.py load "$(FILE)" $(ARGS)

# Traffic for a running server, until Ctrl-C.
simulate: $(VENV)/runs
	$(AT) $(BIN)/python manage.py simulate $(ARGS)

# Against whichever peers are installed: influxdb, victoria-metrics and wrk are packages of Debian.
# ARGS="--quick", "--full" or "--only NAME" choose how thorough.
bench: $(VENV)/benches
	$(BIN)/python benchmarks/compare.py $(ARGS)

# Looks for inputs that break the readers. ARGS="body -max_total_time=600" chooses a target and libFuzzer's options.
fuzz: $(VENV)/fuzzes
	$(BIN)/python fuzz/run.py $(ARGS)

# On all processors, each test drawing little (docs/reliability.md). ARGS="datapoints" chooses; see CONTRIBUTING.md.
test: lint client
	$(BIN)/python manage.py test $(ARGS)

# The same with all that tests can draw: before a release.
test-thorough: lint client
	HYPOTHESIS_PROFILE=thorough $(BIN)/python manage.py test $(ARGS)

lint: $(VENV)/develops
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A client generated from our own schema proves that one can be: a warning fails.
client: $(VENV)/develops
	mkdir -p build
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file build/schema.yaml
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/openapi-python-client generate --path build/schema.yaml --output-path build/client \
		--overwrite --meta none --fail-on-warning

screenshots: $(VENV)/develops
	$(BIN)/python scripts/screenshots.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# $(call install,FILE,WHAT FOR): quiet for half a minute, so it says what it is doing.
define install
	@echo "Setting up $(VENV), once: $(2) ($(1)). This takes about half a minute."
	@$(BIN)/pip install --quiet --disable-pip-version-check --requirement $(1)
	@touch $@
endef

$(VENV)/runs: requirements-run.txt | $(VENV)/bin/python
	$(call install,$<,what serving needs)

$(VENV)/develops: requirements-dev.txt requirements.txt requirements-run.txt | $(VENV)/bin/python
	$(call install,$<,what the tests and checks need)
	@touch $(VENV)/runs

$(VENV)/benches: requirements-bench.txt requirements.txt requirements-run.txt | $(VENV)/bin/python
	$(call install,$<,what the benchmarks need)
	@touch $(VENV)/runs

$(VENV)/fuzzes: requirements-fuzz.txt requirements.txt requirements-run.txt | $(VENV)/bin/python
	$(call install,$<,what fuzzing needs)
	@touch $(VENV)/runs

clean:
	rm -rf $(VENV) build
