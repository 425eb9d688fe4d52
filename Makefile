# The same few commands everywhere: `make run` shows the product, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
STAMP := $(VENV)/.installed

.PHONY: run services test lint unit test-e2e bench clean

$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[server]'
	touch $(READY)

$(STAMP): $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,deploy]'
	touch $(STAMP)

run: $(READY)
	$(BIN)/akto-proxy up

services:
	scripts/services.sh

test: $(STAMP) services lint unit

lint: $(STAMP)
	$(BIN)/ruff check src tests training
	$(BIN)/ruff format --check src tests training
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/pytest -n auto -m 'not e2e and not slow'

test-e2e: $(STAMP)
	$(BIN)/pytest -m 'e2e or slow'

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
