# Every target is complete in itself: on a fresh machine with python3 it makes the environment it needs.
#
#   make demo      bring faces out of a dark picture, and show where the result lies
#   make test      checks of style, types and imports, then the tests
#   make test-all  the same with the slow tests
#   make clean     remove the environment and what runs and builds leave behind

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
# One thread for each of the two processes: on small machines more of them only wait for one another.
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2

CORE := .venv/.installed-core
DEV := .venv/.installed-dev

.PHONY: demo test test-all check clean
.DELETE_ON_ERROR:

demo: $(CORE)
	$(BIN)/lumiface demo

test: check
	$(PYTEST)

test-all: check
	$(PYTEST) -m "slow or not slow"

check: $(DEV)
	$(BIN)/ruff check -q .
	$(BIN)/ruff format -q --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

clean:
	rm -rf .venv build dist runs out .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv .venv

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

# Whoever has these has the core too: `make demo` after `make test` installs nothing.
$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $(CORE) $@
