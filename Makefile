# Two commands on a fresh machine: `make demo` and `make test`.
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test check install lock format bench clean

demo: $(STAMP)  ## a model swap from end to end, with real components
	$(BIN)/recallwatch demo

test: $(STAMP) system  ## everything: checks, coverage, real PostgreSQL, real Prometheus tools, a real model
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n 2 --ignore tests/system --durations 15 --cov --cov-report=
	@$(BIN)/coverage report --format=total >/dev/null || { $(BIN)/coverage report; exit 1; }
	@# Each file in one process, because its tests share servers; in order of names, so that a long one is not the last.
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 15 tests/system

check: $(STAMP) lint  ## under a minute: format, lint, types, contracts, fast tests
	$(BIN)/pytest -n 2 -m "not slow" --hypothesis-profile=check tests/unit tests/contract tests/house

.PHONY: lint
lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)  ## ratios against named peers, from one run
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "recallwatch needs Python 3.11 or newer; run make with PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' \
	  || { echo "recallwatch needs Python's venv module: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	@# torch first and alone: together with others, pip may choose a build with gigabytes of CUDA.
	$(BIN)/pip install --quiet "$$(grep '^torch==' constraints.txt)"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[local,generate,dev]'
	@touch $(STAMP)

.PHONY: system
system:  ## the programs that the system tests need
	@{ command -v prometheus && command -v promtool && command -v amtool \
	   && { command -v prometheus-alertmanager || command -v alertmanager; }; } >/dev/null || { \
	  command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
	  || { echo "make test needs Prometheus and Alertmanager with promtool and amtool: install your system's packages" >&2; \
	       exit 1; }; \
	  echo "installing prometheus and prometheus-alertmanager"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    prometheus prometheus-alertmanager >/dev/null; }

lock: $(STAMP)  ## write the installed versions to constraints.txt
	$(BIN)/pip install --quiet --upgrade --upgrade-strategy eager --editable '.[local,generate,dev,bench]'
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt

clean:
	rm -rf $(VENV) recallwatch-data
