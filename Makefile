# Every target makes its own set-up: a virtual environment from the lock, made once and reused.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
# A rented machine has its own torch, and no network for another.
GPU_PYTHON = $(if $(wildcard $(READY)),$(BIN)/python,$(PYTHON))

.DEFAULT_GOAL := help
.PHONY: help setup roadmap figures cifar profile lab test gpu bench lint notebooks exercises students site lock clean

help: ## Say what there is to make.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## Make the virtual environment .venv from requirements.lock.

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --python $(BIN)/python --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --no-deps -e .
	@touch $@

roadmap: $(READY) ## Train every rung of the ladder on digits; print the table, write the figure.
	$(BIN)/ablation roadmap

figures: $(READY) ## Draw every figure again: trains the ladder where that is not done, then looks inside.
	$(BIN)/ablation roadmap
	$(BIN)/ablation attribute
	$(BIN)/ablation see
	$(BIN)/ablation see --what weights
	$(BIN)/ablation see --what norms --size 224
	$(BIN)/ablation see --what signal
	$(BIN)/ablation profile --timing

CIFAR10 := --store runs-cifar10 --recipe small32 --label "CIFAR-10 (JPEG), 10,000 images"
TRIALS := figures/roadmap-cifar10-10k-trials.csv

cifar: $(READY) ## The ladder on 10,000 images of CIFAR-10, hours: needs a folder or link cifar10 with train/ and test/.
	test ! -f $(TRIALS) || $(BIN)/ablation import $(TRIALS) --store runs-cifar10 --same-images cifar10
	$(BIN)/ablation rates --data imagefolder:cifar10#10000+5000 --epochs 10 --original 0.02,0.05,0.1 --modern 0.001,0.002,0.004,0.008 $(CIFAR10)
	$(BIN)/ablation roadmap --data imagefolder:cifar10#10000 $(CIFAR10)
	$(BIN)/ablation export figures/roadmap-cifar10-10k-trials.csv --store runs-cifar10

profile: $(READY) ## Count both ladders and compare them with the paper; trains nothing.
	$(BIN)/ablation profile

lab: $(READY) ## Open JupyterLab on the first notebook.
	$(BIN)/jupyter lab notebooks/00_start_here.ipynb

test: $(READY) ## Run all tests, the quick ones first, in WORKERS processes of one thread (2 unless said otherwise).
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --cov --cov-report=term

gpu: ## Where CUDA is: run the tests that need it, then time into figures/gpu.csv. Takes the system's Python without .venv.
	$(GPU_PYTHON) -m pytest -p no:benchmark -m gpu -q $$(grep -rl "mark.gpu" tests --include='test_*.py')
	$(GPU_PYTHON) -m tests.bench.gpu

bench: $(READY) ## Time ours beside others, in interleaved pairs.
	$(BIN)/python -m tests.bench

lint: $(READY) ## Check style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

notebooks: $(READY) ## Execute every notebook and save its outputs.
	$(BIN)/python -m tests.notebooks notebooks/*.ipynb

exercises: $(READY) ## Make the students' version of every exercise from the instructors'.
	$(BIN)/python -m tests.exercises

STUDENTS ?= students

students: $(READY) ## Write the notebooks without outputs and answers to the folder STUDENTS (students unless said otherwise).
	$(BIN)/python -m tests.students $(STUDENTS)

site: $(READY) ## Make the site of notebooks, exercises, figures, reference and explorer in docs/_build/html; needs npm.
	$(BIN)/python -m docs

lock: $(READY) ## Resolve the newest versions that pyproject.toml admits into requirements.lock.
	$(BIN)/uv pip compile --universal --no-header --no-annotate --all-extras --upgrade -o requirements.lock pyproject.toml

clean: ## Remove the virtual environment and caches; trained results in runs/ stay.
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .coverage* docs/_build docs/explorer/node_modules
