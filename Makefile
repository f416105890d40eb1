# quantjax: `make demo` and `make test` need Python 3.11 to 3.13 and nothing else.

VENV := .venv
BIN := $(VENV)/bin
PYTHONS := python3.12 python3.13 python3.11 python3 python
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

# The first supported Python on the path, or the one given as PYTHON=...
PYTHON ?= $(shell for python in $(PYTHONS); do \
  "$$python" -c "$(SUPPORTED)" >/dev/null 2>&1 && { echo "$$python"; break; }; done)

# Tests run in so many processes side by side, those of a file in one.
WORKERS ?= 2

.PHONY: help demo test lint bench validate clean

help:
	@echo "make demo      record a mock exchange, replay it, measure every book: out/demo/report.html"
	@echo "make test      run the tests"
	@echo "make lint      ruff, pyright, import-linter"
	@echo "make bench     measure the speed: benchmarks/results/"
	@echo "make validate  run the studies that take long"
	@echo "make clean     remove what was built"

$(VENV)/base.stamp: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "quantjax needs Python 3.11, 3.12 or 3.13; found none on the path (set PYTHON=/path/to/python)" >&2; exit 1; }
	@"$(PYTHON)" -c "$(SUPPORTED)" || { echo "quantjax needs Python 3.11, 3.12 or 3.13; $(PYTHON) is another" >&2; exit 1; }
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mock,plots]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/base.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mock,plots,peers,dev]'
	@touch $@

demo: $(VENV)/base.stamp
	$(BIN)/quantjax demo --out out/demo

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(VENV)/dev.stamp
	$(BIN)/quantjax bench

validate: $(VENV)/dev.stamp
	$(BIN)/python -m pytest tests -m study --override-ini 'addopts='

clean:
	rm -rf $(VENV) out build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
