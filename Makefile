# The one list of verbs: people, hooks and CI call the same.

PYTHON ?= python3
# More options for pip, such as an index with the CPU build of torch:
#   make setup PIP_EXTRA="--extra-index-url URL"
PIP_EXTRA ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
JARS := .cache/kafka-4.2.1/lib
PEERS := .venv-peers
EXTRAS := training,files,fast,dev
KAFKA_FREE := not kafka and not end_to_end

.DEFAULT_GOAL := help
.PHONY: help setup setup-peers demo check format test test-fast test-compose bench bench-quality bench-faults bench-soak clean

help: ## what can be made (this list)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## .venv with all extras, pinned, and the broker's jars; does nothing when up to date
	@if [ -n "$$LATENTWATCH_KAFKA__BOOTSTRAP_SERVERS$$LATENTWATCH_BROKER_JARS" ]; then :; \
	elif ! command -v java >/dev/null; then \
	  echo "setup: no java (17 or newer) on the PATH: no broker can be started here, tests that need one are skipped" >&2; \
	elif [ -d $(JARS) ]; then :; \
	elif ! command -v mvn >/dev/null; then \
	  echo "setup: no mvn on the PATH: the broker's jars cannot be fetched, tests that need one are skipped" >&2; \
	else echo "setup: fetching the broker's jars into $(JARS)"; \
	  $(BIN)/python -c "from workbench.demo.jars import jars; jars()" || \
	  echo "setup: the broker's jars could not be fetched (see above), tests that need one are skipped" >&2; fi

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt $(PIP_EXTRA) --editable ".[$(EXTRAS)]"
	@touch $@

setup-peers: $(PEERS)/.installed ## .venv-peers with the detectors that ours is compared with, pinned; uses the torch of .venv

$(PEERS)/.installed: bench/quality/peers.txt $(INSTALLED)
	$(BIN)/python -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --requirement bench/quality/peers.txt
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
	  "$$($(PEERS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch-of-venv.pth"
	@touch $@

demo: $(INSTALLED) ## see it work on the best broker to be had; DEMO_SECONDS=120 SEED=1 SOURCE=records.jsonl
	@$(BIN)/latentwatch demo $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS)) \
	  $(if $(SEED),--seed $(SEED)) $(if $(SOURCE),--source "$(SOURCE)")

check: $(INSTALLED) ## lint, format, types and import contracts; under a minute
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports --cache-dir .cache/import-linter

format: $(INSTALLED) ## format the code and mend what can be mended
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format

test: setup check ## everything: check, then all tests on a real broker, with coverage
	@mkdir -p .cache/coverage
	$(BIN)/python -m pytest --cov --cov-report=term

test-fast: $(INSTALLED) ## the tests that need no broker
	$(BIN)/python -m pytest -m "$(KAFKA_FREE)"

test-compose: setup ## docker-compose.yml and its images, started; needs a Docker engine, or dockerd and root
	LATENTWATCH_REQUIRE_DOCKER=1 $(BIN)/python -m pytest tests/end_to_end/test_compose.py

bench: setup setup-peers ## the measured comparisons; each prints a table and one last line
	@for path in bench/[a-z]*.py bench/*/__main__.py; do \
	  name=$$(echo "$${path%.py}" | tr / .); name=$${name%.__main__}; \
	  echo "== $${name#bench.}"; $(BIN)/python -m $$name || exit 1; done

bench-quality: setup setup-peers ## detection quality beside nine peers; DATA=folder QUICK=1
	@$(BIN)/python -m bench.quality $(if $(QUICK),--quick) $(if $(DATA),--data "$(DATA)")

bench-faults: setup ## brokers and workers hurt for half an hour in each mode; FAULTS_SECONDS=1800 SEED=1
	@for mode in at_least_once exactly_once; do \
	  $(BIN)/python -m bench.faults --mode $$mode --seconds $(or $(FAULTS_SECONDS),1800) --seed $(or $(SEED),1) || exit 1; done

bench-soak: setup ## ten minutes with a kill every 20 s: whether memory, threads and descriptors stay flat
	$(BIN)/python -m bench.soak

clean: ## remove what checks, tests and builds made; .venv and the jars stay
	rm -rf build dist *.egg-info .hypothesis .cache/mypy .cache/ruff .cache/pytest .cache/coverage .cache/import-linter
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
