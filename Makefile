# The same few commands everywhere: `make run` shows the product, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Versions with hashes, where there is a lock for this machine and this Python (scripts/lock.py); elsewhere, and for what
# a lock does not know yet, the ranges of pyproject.toml. `make LOCK= test` leaves the lock aside.
LOCK := requirements/$(shell $(PYTHON) -c 'import platform as p, sys; print("%s-%s-py%d.%d" % (p.system().lower(), p.machine(), *sys.version_info[:2]))')
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
locked = $(if $(wildcard $(LOCK)$(1).txt),$(PIP) --require-hashes --no-deps -r $(LOCK)$(1).txt)
READY := $(VENV)/.ready
STAMP := $(VENV)/.installed

.PHONY: run services test more lint unit test-e2e bench bench-short soak gate fuzz lock sbom licences audit clean

$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(call locked,-run)
	$(PIP) -e '.[server]'
	touch $(READY)

$(STAMP): $(READY)
	$(call locked)
	$(PIP) -e '.[dev,deploy]'
	touch $(STAMP)

run: $(READY)
	$(BIN)/akto-proxy up

services:
	scripts/services.sh

# `make test` names the tests that it left out; MORE=chdb,parquet,fuzz (700 MB) installs what they need.
test: $(STAMP) services more lint unit

more: $(STAMP)
	$(if $(MORE),$(PIP) -e '.[$(MORE)]')

lint: $(STAMP)
	$(BIN)/ruff check src tests training bench scripts fuzz
	$(BIN)/ruff format --check src tests training bench scripts fuzz
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/pytest -n auto -m 'not e2e and not slow'

test-e2e: $(STAMP)
	$(BIN)/pytest -m 'e2e or slow'

# Every proxy that can be installed here, on the same work: docs/benchmarks.md with its tables and pictures.
bench: $(STAMP)
	$(BIN)/python bench/peers.py install
	$(BIN)/python bench/peers.py --out docs/benchmarks.json
	$(BIN)/python bench/draw.py

bench-short: $(STAMP)
	$(BIN)/python bench/peers.py --rounds 1 --seconds 1 --only "ours, guarding" --only nginx --only Envoy

soak: $(STAMP)
	$(BIN)/python bench/soak.py --minutes $(or $(MINUTES),120)

# make gate OLD=main NEW=HEAD
gate: $(STAMP)
	$(BIN)/python bench/gate.py $(or $(OLD),main) $(or $(NEW),HEAD)

# make fuzz TARGET=body SECONDS=900
fuzz: $(STAMP)
	$(PIP) -e '.[fuzz]'
	$(BIN)/python fuzz/run.py $(or $(TARGET),body) --seconds $(or $(SECONDS),900)

lock: $(STAMP)
	$(BIN)/python scripts/lock.py

licences: $(READY)
	$(PIP) packaging
	$(BIN)/python scripts/licences.py

sbom: $(READY)
	$(PIP) packaging
	mkdir -p dist
	$(BIN)/python scripts/licences.py --sbom dist/sbom.json

# Known holes of what is installed; needs the vulnerability service to be reachable.
audit: $(STAMP)
	$(PIP) pip-audit
	$(BIN)/pip-audit --skip-editable

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
