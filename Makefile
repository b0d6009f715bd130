# Every way into the course. `make` alone lists the targets; each of them first makes .venv.
# Readable for GNU make 3.81, which macOS ships; paths are relative, so the checkout may have spaces.

PYTHON ?= $(shell for name in python3.11 python3; do \
	$$name -c "" 2>/dev/null && echo $$name && break; done || echo python3.11)
BIN := .venv/bin
PY := $(BIN)/python
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest -n 2
COVERAGE := --cov=deeplearn --cov-report=term:skip-covered
NBVAL := --nbval-lax --nbval-current-env
CHAPTERS := notebooks book/corrections.ipynb
# Outputs without times and in one piece, so that two executions differ only where results do.
STORED := --ExecutePreprocessor.record_timing=False \
	--NotebookExporter.preprocessors=nbconvert.preprocessors.CoalesceStreamsPreprocessor
# EDITION=instructor adds the solutions. REPOSITORY, BRANCH and SITE are the addresses of a published
# copy: with them, pages link to their source, to Binder and to Colab. Each kind has its own folder.
EDITION := student
KIND := $(EDITION)$(if $(REPOSITORY)$(SITE),-published)
BOOK_FOLDER := $(if $(filter student,$(KIND)),.,_build/$(KIND))
BOOK := $(BOOK_FOLDER)/_build/.complete
ZIP := _build/training-deep-networks$(if $(filter-out student,$(KIND)),-$(KIND)).zip
BOOK_OPTIONS := --edition $(EDITION) $(if $(REPOSITORY),--repository $(REPOSITORY)) $(if $(BRANCH),--branch $(BRANCH)) $(if $(SITE),--site $(SITE))
BOOK_SOURCES := $(shell find _config.yml _toc.yml book notebooks deeplearn solutions tools/book.py -type f 2>/dev/null | grep -v -e /__pycache__/ -e /.ipynb_checkpoints/)
EXECUTED := $(patsubst %.ipynb,_build/executed/%,$(wildcard notebooks/*.ipynb) book/corrections.ipynb)

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help course test check test-data book pdf archive release sample grade audit teach notebooks results bench setup system lock lint clean

help: ## list these targets
	@echo "Training Deep Networks: make <target>"
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | \
		while IFS='|' read -r name text; do printf '  %-10s %s\n' "$$name" "$$text"; done

course: book ## the whole course: student release, book, a sample class graded
	@echo "A sample class …"
	@$(PY) -m grading sample
	@$(PY) tools/next_steps.py

test: lint system release ## all that CI runs; the book is built strictly by its tests
	$(PYTEST) --dist loadfile --no-loadscope-reorder $(COVERAGE) $(NBVAL) $(CHAPTERS) solutions tests deeplearn grading

check: lint ## the quick part of the tests: lint, unit tests, doctests
	$(PYTEST) -m "not browser and not data" --ignore-glob "tests/test_grading*" --ignore tests/test_answers.py --ignore tests/test_teach.py tests deeplearn grading

test-data: release ## the tests that read data, and the chapters
	$(PYTEST) --dist loadfile --no-loadscope-reorder -k "(data or ipynb) and not browser" $(NBVAL) $(CHAPTERS) tests

book: $(BOOK) ## the book, into _build/html (EDITION=instructor: with the solutions)

$(BOOK): $(BOOK_SOURCES) requirements.txt Makefile $(if $(REPOSITORY)$(SITE),always) | release
	@echo "The book …"
	$(PY) tools/book.py $(BOOK_FOLDER) $(BOOK_OPTIONS)

always:

pdf: setup system ## the book on paper, into _build/training-deep-networks.pdf
	$(PY) -m tools.pdf

archive: book ## the book in one zip for readers without a network, into _build
	@$(PY) tools/archive.py $(BOOK_FOLDER)/_build/html $(ZIP)

release: setup ## the students' notebooks, from solutions/ into release/, and a zip of each
	$(PY) -m grading release

sample: setup ## grade a sample class
	$(PY) -m grading sample

grade: setup ## grade your own class, from submitted/; in isolation, which needs bubblewrap
	$(PY) -m grading grade

audit: setup ## prove the graders on right and wrong answers, with MNIST where it is at hand
	$(PY) -m grading audit --markdown book/assets/audit.txt

teach: setup system ## the story of the page Teach anew: a sample class, and what each command prints
	$(PY) -m tools.teach

notebooks: setup $(EXECUTED) ## execute the chapters that changed, in place; needs MNIST

_build/executed/%: %.ipynb $(wildcard deeplearn/*.py) | setup
	@$(PY) -c "from deeplearn.data import load_mnist; load_mnist('mnist')"
	$(PY) -m jupyter nbconvert --execute --inplace $(STORED) $<
	@mkdir -p $(@D) && touch $@

results: setup ## measure what the page of results still lacks; all of it takes two hours, and MNIST
	$(PY) -m tools.results

bench: setup ## speed and memory, beside PyTorch, skorch, Lightning and plain nbgrader
	@$(PY) -m pip install --quiet --no-deps --upgrade --target _build/bench -r tests/bench/requirements.txt
	PYTHONPATH=_build/bench:. $(PY) tests/bench $(STRICT)

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell

setup: ## make .venv, or bring it up to date
	@command -v "$(PYTHON)" >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11, \
	or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" tools/environment.py

system: ## the programs that tests need beside Python: chromium and bubblewrap
	@sh tools/system.sh

lock: ## requirements.txt anew from pyproject.toml (UPGRADE=1: the newest versions)
	"$(PYTHON)" tools/lock.py

# A class is never removed: submitted/, autograded/, feedback/ and gradebook.db are an instructor's data.
clean: ## remove what make made, except .venv and the data of a class
	rm -rf release .pytest_cache .ruff_cache .coverage*
	[ ! -d _build ] || find _build -mindepth 1 -maxdepth 1 -not -name exchange -exec rm -rf {} +
	find . -name __pycache__ -not -path "./.venv/*" -prune -exec rm -rf {} +
