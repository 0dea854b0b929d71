# make search    set up .venv, then search, trim, train, export and report on this machine
# make test      set up .venv, then run the tests (one thread: two that share busy cores crawl)
PYTHON ?= python3
ARGS ?=
# Without an NVIDIA GPU take PyTorch's CPU build: PyPI's own brings gigabytes of CUDA libraries.
TORCH_ARGS ?= $(if $(shell command -v nvidia-smi),,--extra-index-url https://download.pytorch.org/whl/cpu --retries 1)

.PHONY: setup search test lint

setup: .venv/.setup

.venv/.setup: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --no-deps -c constraints.txt $(TORCH_ARGS) torch
	.venv/bin/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

search: setup
	.venv/bin/python -m nas.search +target=intel_cpu $(ARGS)

test: setup
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest --cov=nas --cov-fail-under=85 $(ARGS)

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/mypy scripts
