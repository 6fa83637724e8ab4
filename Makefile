# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow check lint types contracts bench figures multiplier docs docs-serve clean

$(VENV)/.installed: pyproject.toml further/pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' -e ./further
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

CLIPS ?= ../shared/data/dev

bench: $(VENV)/.installed       ## quality and speed of the shipped tokenizers; CLIPS is a folder of clips
	$(BIN)/tubelet evaluate $(CLIPS) -o runs/figures --with $(foreach name,klt-4x8x8 tubelet-m tubelet-s, \
		$(name)@4 $(name)@8 $(name)@16 $(name)@32 $(name)@64) tubelet-fsq x264:crf=28 --latents
	$(BIN)/tubelet bench -o runs/bench.json --force

figures: $(VENV)/.installed     ## docs/figures.md, docs/rate-distortion.md, their plots, and docs/zoo.md, from experiments/results
	$(BIN)/python -m tubelet.report.figures
	$(BIN)/python -m tubelet.report.zoo

MINUTES ?= 60

multiplier: $(VENV)/.installed  ## train generators on several tokenizers for MINUTES, and write docs/multiplier.md; goes on where it stopped
	$(BIN)/python experiments/multiplier.py -o runs/multiplier --minutes $(MINUTES)
	$(BIN)/python experiments/multiplier_page.py

docs: $(VENV)/.installed        ## the site, to build/docs/site; a broken link or a page from elsewhere fails
	$(BIN)/python scripts/docs build

docs-serve: $(VENV)/.installed  ## the same at http://localhost:8000; pages that are edited are built again by a new start
	$(BIN)/python scripts/docs serve

clean:
	rm -rf $(VENV) build demo *.egg-info src/*.egg-info further/src/*.egg-info further/build
