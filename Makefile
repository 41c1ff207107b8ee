# Every target is complete in itself: on a fresh machine with python3 it makes the environment it needs.
#
#   make demo      restore a bundled dark photograph and print where the result is saved
#   make test      checks of style, types and imports, then the tests
#   make test-all  the same with the slow tests
#   make bench     the tables of scores; LUMIFACE_DATA names the folder of the test sets
#   make bench-speed  speeds of networks, detection, photographs, folders and video
#   make tables    the papers' tables, from what is measured and, where something is not, by training it
#   make ablation  the 3D prior's enhancer and its seven variants, trained with the same budget
#   make clean     remove the environment and what runs and builds leave behind

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
# One thread for each of the two processes: on small machines more of them only wait for one another.
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2

CORE := .venv/.installed-core
DEV := .venv/.installed-dev

.PHONY: demo test test-all check bench bench-speed tables ablation clean
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

bench: $(DEV)
	@test -n "$(LUMIFACE_DATA)" || { echo "set LUMIFACE_DATA to the folder of the test sets (*.tar)"; exit 2; }
	for section in after large camera tones; do \
	  OMP_NUM_THREADS=1 $(BIN)/python benchmarks/zoo.py $$section --data-root "$(LUMIFACE_DATA)" \
	    --json benchmarks/results/zoo.json || exit 1; \
	done
	$(BIN)/python benchmarks/zoo_pages.py
	$(BIN)/python benchmarks/grid.py lfsrnet-base --data "$(LUMIFACE_DATA)/faces256-london.tar"

# About an hour on two cores; nothing else should run meanwhile.
bench-speed: $(DEV)
	@test -n "$(LUMIFACE_DATA)" || { echo "set LUMIFACE_DATA to the folder of the test sets (*.tar)"; exit 2; }
	for section in "speed.py detection" "runtimes.py faces_per_s" "runtimes.py ratios" "runtimes.py floors" \
	  "curves.py loop" "curves.py curves" "big_pictures.py photo_12mp" "big_pictures.py strips" \
	  "folders.py jobs" "folders.py cluster" "video.py video"; do \
	  $(BIN)/python benchmarks/$$section --data-root "$(LUMIFACE_DATA)" \
	    --json benchmarks/results/speed.json || exit 1; \
	done
	$(BIN)/python benchmarks/speed_pages.py

tables: $(DEV)
	@test -n "$(LUMIFACE_DATA)" || { echo "set LUMIFACE_DATA to the folder of the test sets (*.tar)"; exit 2; }
	for table in table1 table1-paper table2 table3; do \
	  $(BIN)/lumiface compare $$table --data-root "$(LUMIFACE_DATA)" --out benchmarks/compare/tiny --jobs 2 --device cpu \
	    --json benchmarks/results/$$table.json || exit 1; \
	done
	for paper in prior3d fusion_bfr; do \
	  $(BIN)/python benchmarks/paper_tables.py $$paper --data-root "$(LUMIFACE_DATA)" --jobs 2 \
	    --json benchmarks/results/$${paper}_tables.json || exit 1; \
	done
	$(BIN)/python benchmarks/table_pages.py
	$(BIN)/python benchmarks/paper_pages.py

# 400 steps for the enhancer and for each variant of its ablation; finished runs are not repeated.
ablation: $(DEV)
	@test -n "$(LUMIFACE_DATA)" || { echo "set LUMIFACE_DATA to the folder of the training sets (*.tar)"; exit 2; }
	$(BIN)/lumiface train prior3d-small --steps 400 --data-root "$(LUMIFACE_DATA)" --out runs/ablation/full
	for variant in no-distillation pseudo-labels no-intra no-inter no-prior regression-prior concat-fusion; do \
	  $(BIN)/lumiface train prior3d-small-$$variant --steps 400 --data-root "$(LUMIFACE_DATA)" \
	    --out runs/ablation/$$variant || exit 1; \
	done

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
