# Start with `make demo` or `make test`. Each target installs what it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
TESTS ?= tests
RUNS ?= 200000
SEED ?= 1
REF ?= HEAD^
N ?= 200
# for two cores: half of the time of `make test` is waiting
WORKERS ?= 3

.PHONY: demo test test-browser test-engines check bench bench-compare fuzz prove-codes prove-install prove-kills prove-memory prove-migration prove-openapi prove-passcodes prove-persons prove-tickets prove-webhooks sbom audit lock wheel release clean

demo: .venv/run.stamp
	$(BIN)/scanbind demo

test: .venv/dev.stamp
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal -m "not browser and not engines" $(TESTS)
	@echo "not run: the tests in browsers, see make test-browser and make test-engines"

test-browser: .venv/dev.stamp
	$(BIN)/pytest --numprocesses 2 --dist worksteal -m browser $(TESTS)

test-engines: .venv/dev.stamp
	$(BIN)/pytest -m engines $(TESTS)

check: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.import_clock tests models service handlers sandbox demo
	@PYTHON=$(BIN)/python sh tools/size.sh widget 12500

bench: .venv/dev.stamp
	$(BIN)/python -m bench.poll
	$(BIN)/python -m bench.callback
	$(BIN)/python -m bench.create
	$(BIN)/python -m bench.login
	$(BIN)/python -m bench.scale
	$(BIN)/python -m bench.waiters
	$(BIN)/python -m bench.webhooks

bench-compare: .venv/dev.stamp
	$(BIN)/python -m bench.compare $(REF)

fuzz: .venv/tools.stamp
	$(BIN)/python -m fuzz.callback --runs $(RUNS)
	$(BIN)/python -m fuzz.tickets --runs $(RUNS)
	$(BIN)/python -m fuzz.bodies --runs $(RUNS)
	$(BIN)/python -m fuzz.pictures --runs $(RUNS)
	$(BIN)/python -m fuzz.sealed_calls --runs $(RUNS)

prove-memory: .venv/dev.stamp
	MEMORY_JUNK=20000 $(BIN)/pytest -s tests/attacks/test_memory.py

prove-install: .venv/run.stamp
	$(BIN)/python -m tools.prove_install

prove-codes: .venv/dev.stamp
	EXCHANGES=2000 $(BIN)/pytest tests/attacks/test_codes.py

prove-kills: .venv/dev.stamp
	KILLS=$(N) SEED=$(SEED) $(BIN)/pytest -rP --numprocesses $(WORKERS) tests/attacks/test_kills.py

prove-migration: .venv/dev.stamp
	MIGRATED=$(N) SEED=$(SEED) $(BIN)/pytest -rP tests/service/storage/test_upgrade.py

prove-openapi: .venv/tools.stamp
	$(BIN)/python -m fuzz.openapi --seed $(SEED)

prove-passcodes: .venv/dev.stamp
	GUESSES=$(N) SEED=$(SEED) $(BIN)/pytest -rP --numprocesses $(WORKERS) tests/attacks/test_passcodes.py

prove-persons: .venv/dev.stamp
	PERSONS=$(N) $(BIN)/pytest --numprocesses $(WORKERS) tests/service/bindings/test_person_model.py

prove-tickets: .venv/dev.stamp
	HYPOTHESIS_PROFILE=long $(BIN)/pytest tests/service/tickets/test_stateful.py

prove-webhooks: .venv/dev.stamp
	DELIVERIES=$(N) SEED=$(SEED) $(BIN)/pytest -rP --numprocesses $(WORKERS) tests/attacks/test_killed_deliveries.py

sbom: .venv/tools.stamp
	$(BIN)/python -m tools.sbom requirements.lock build/sbom.cdx.json

wheel: .venv/run.stamp
	$(BIN)/python -m tools.wheel dist

release: .venv/tools.stamp
	$(BIN)/python -m tools.release "$(VERSION)"

audit: .venv/tools.stamp
	@$(BIN)/python -m tools.audit requirements.lock $(AUDIT)

lock: .venv/bin/python
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra sandbox --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra sandbox --group dev --constraint requirements.lock --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --output-file requirements-dev.lock
	$(BIN)/uv pip compile --group tools --constraint requirements-dev.lock --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --output-file requirements-tools.lock

clean:
	rm -rf .venv var *.egg-info build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@sh tools/venv.sh "$(PYTHON)"

.venv/run.stamp: .venv/bin/python requirements.lock pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

.venv/tools.stamp: .venv/dev.stamp requirements-tools.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tools.lock
	@touch $@
