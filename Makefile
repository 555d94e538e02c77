# Everything below sets up what it needs: a virtual environment in .venv from requirements.lock, and, where it may, the
# system packages bubblewrap (for the sandbox), chromium and postgresql (for tests).
#
#   make PYTHON=python3.12 test     another Python (3.11 or later; the lock is made for 3.11)
#
# Packages come with uv where it can be had, else with pip, which takes some minutes longer (scripts/install_packages.py).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
BIN := .venv/bin
READY := .venv/.ready
ASSIGNMENTS = $(notdir $(patsubst %/,%,$(sort $(wildcard notebooks/*/))))
NOTEBOOKS = $(wildcard notebooks/*/*.ipynb)
# jupyter refuses to run as root unless told
JUPYTER_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
# nbstripout's defaults, plus what editors leave behind
STRIP := $(BIN)/nbstripout --keep-id \
	--extra-keys='metadata.language_info metadata.celltoolbar metadata.vscode cell.metadata.vscode'

.PHONY: help setup demo test claims lab grade-lab bench attacks gpu-check fuzz lint format docs lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' \
		| while IFS='|' read -r name what; do printf '  make %-10s  %s\n' "$$name" "$$what"; done

setup: $(READY) ## the virtual environment and the sandbox, if they are not there yet
	@scripts/setup_system.sh bubblewrap

$(READY): requirements.lock pyproject.toml setup.py scripts/setup_venv.sh
	@scripts/setup_venv.sh "$(PYTHON)" .venv

demo: setup ## release, make a sample class, grade it in the sandbox, report
	$(BIN)/autograder demo

test: setup ## the whole test suite
	@scripts/setup_system.sh chromium postgresql
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

claims: setup ## every claim about training, asserted on trainings made now instead of recorded ones
	CLAIMS=full OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/course_lib -k claims -n 2 --dist loadfile --timeout=0 $(PYTEST_ARGS)

bench: setup ## this grader and stock nbgrader on the same submissions, in one run, as ratios
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.grading $(BENCH_ARGS)

attacks: setup ## every attack on the grader, as a table, beside stock nbgrader where that applies
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.attacks $(ATTACK_ARGS)

gpu-check: $(READY) ## whether a GPU grades as the processor does, as a table (GPU_ARGS=--dry: without one)
	$(BIN)/python scripts/gpu_check.py $(GPU_ARGS)

fuzz: setup ## 10,000 fuzzed notebooks and 100,000 fuzzed messages (about half an hour)
	FUZZ_EXAMPLES=full OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m fuzz -n 2 --dist worksteal --timeout=0 $(PYTEST_ARGS)

lint: $(READY) ## ruff, mypy --strict, and notebooks without outputs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(if $(NOTEBOOKS),$(STRIP) --verify $(NOTEBOOKS))

format: $(READY) ## formats code and notebooks, strips outputs
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(if $(NOTEBOOKS),$(STRIP) $(NOTEBOOKS))

lab: setup ## JupyterLab on the student version
	$(BIN)/autograder release $(ASSIGNMENTS) --bundle build/student
	cd build/student && PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONPATH="$(CURDIR)/build/student" $(CURDIR)/$(BIN)/jupyter lab $(JUPYTER_ROOT) start.ipynb

grade-lab: setup ## written answers by hand, beside nbgrader's formgrader, on this course
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/jupyter lab $(JUPYTER_ROOT) --LabApp.default_url=/autograder/written

docs: $(READY) ## the student version as web pages that need no network, in build/docs
	$(BIN)/autograder release $(ASSIGNMENTS) --bundle build/student
	$(BIN)/python scripts/make_pages.py

lock: $(READY) ## resolves requirements.lock and environment.yml afresh
	$(BIN)/python scripts/lock.py

clean: ## removes what the commands made, except the virtual environment and marks
	rm -rf build bundle bundle.zip demo_course release .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
