# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow check lint types contracts bench figures clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/.installed        ## make a clip, reconstruct it, show both side by side
	$(BIN)/tubelet demo -o demo --force

test: $(VENV)/.installed        ## the tests; under two minutes on two cores
	$(BIN)/pytest -n 2 --dist worksteal -q

test-slow: $(VENV)/.installed   ## the laws that are measured: memory, long clips
	$(BIN)/pytest -q -m slow

lint: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed
	$(BIN)/basedpyright

contracts: $(VENV)/.installed
	$(BIN)/lint-imports

check: lint types contracts test ## everything that must pass before a change lands

bench: $(VENV)/.installed       ## the figures in benchmarks/results
	$(BIN)/python benchmarks/short256x33.py ../shared/data/dev klt-4x8x8 tubelet-m tubelet-m16 tubelet-s klt-1x8x8 \
		tubelet-image klt-8x8x8 klt-8x16x16 klt-8x32x32 --floor klt-4x8x8 --psnr-only
	$(BIN)/python benchmarks/short256x33.py ../shared/data/dev klt-4x8x8 tubelet-m --floor klt-4x8x8 \
		--channels 4 16 64 -o benchmarks/results/short256x33-motion.json
	$(BIN)/python benchmarks/tokens256x33.py ../shared/data/dev tubelet-fsq tubelet-fsq-deep --long 129
	$(BIN)/python benchmarks/token_bytes.py ../shared/data/dev tubelet-fsq
	$(BIN)/python benchmarks/vq_lookup.py
	$(BIN)/python benchmarks/speed.py

figures: $(VENV)/.installed     ## docs/figures.md and its plots, from benchmarks/results
	$(BIN)/python scripts/figures_page.py

clean:
	rm -rf $(VENV) build demo *.egg-info src/*.egg-info
