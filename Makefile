# Two commands do everything: `make demo` and `make test`. Both make .venv themselves, once.
#   make demo TORCH_INDEX=<address>   take torch from the package index that pytorch.org shows for your CPU or GPU

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH_INDEX ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check slow bench clean

help:
	@echo "make demo   train a twin of a stranger on this machine and talk to it (DEMO_SECONDS=60 for a quick look)"
	@echo "make test   run the tests"
	@echo "make check  ruff, mypy, import contracts, tests"
	@echo "make slow   the proofs that take minutes"
	@echo "make bench  training speed against TRL"
	@echo "make clean  remove .venv and .demo"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "twin needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Python cannot make virtual environments here: apt install python3-venv"; exit 2; }

# One stamp per set of extras, and one per build of torch: what did not change is not installed again.
TORCH := $(VENV)/torch$(if $(TORCH_INDEX),-$(notdir $(TORCH_INDEX:/=))).stamp
$(TORCH): constraints.txt | $(BIN)/python
	@echo "Installing torch into $(VENV) (once) ..."
	@$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX) --no-deps --force-reinstall) torch
	@touch $@

$(VENV)/demo.stamp: $(TORCH) pyproject.toml constraints.txt
	@echo "Installing twin into $(VENV) (once) ..."
	@$(PIP) -e '.[ml,demo]'
	@touch $@

$(VENV)/dev.stamp: $(TORCH) pyproject.toml constraints.txt
	@echo "Installing twin and its test tools into $(VENV) (once) ..."
	@$(PIP) -e '.[ml,demo,dev]'
	@touch $@ $(VENV)/demo.stamp

$(VENV)/bench.stamp: $(VENV)/dev.stamp
	@$(PIP) -e '.[ml,demo,dev,bench]'
	@touch $@

demo: $(VENV)/demo.stamp
	@$(BIN)/python examples/demo/run.py

test: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest

check: $(VENV)/dev.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest

slow: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest -m slow -n 0

bench: $(VENV)/bench.stamp
	@$(BIN)/python benchmarks/train_vs_trl.py

clean:
	@rm -rf $(VENV) .demo
