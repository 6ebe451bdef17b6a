# make install: the environment in .venv (quick when nothing changed). make demo: the main job. make test: the tests.
PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python

# Every process would compile torch, ray and mmdet anew where this is set: half of what a small search takes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: install demo test test-slow lint clean

install: $(STAMP)

$(STAMP): setup.cfg pyproject.toml constraints.txt build-constraints.txt overrides.txt Makefile
	@test -n "$(PYTHON)" || { echo "kdbench needs Python 3.11 or 3.12; say where it is: make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(UV) --build-constraints build-constraints.txt --overrides overrides.txt --constraints constraints.txt --editable '.[test]'
	@touch $(STAMP)

demo: install
	$(BIN)/kdbench search defeat --trials 6

# Two workers of one thread each; tests that start Ray share one of them (tests/integration/conftest.py).
test: install lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not slow"

test-slow: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m slow

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .mypy_cache
