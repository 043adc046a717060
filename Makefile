# Everything here does its own set-up: a Python 3.11 or later, make and git are enough to start.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Hundreds of processes import the package in a run; each would compile it and the SDKs anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
PHASE := scripts/phase
# The pure core: every branch of it is tested.
CORE := resource mark references fingerprints diff plan units planner name_order guards ownership
CORE_FILES := $(shell echo $(foreach m,$(CORE),reconciler/core/$(m).py,reconciler/core/$(m)/*) | tr ' ' ',')
MUTATION := .cache/mutation
# One run on all processors; tests that need Docker go one after the other beside the rest. What
# takes long comes first, in the order of tests/conftest.py.
PYTEST := $(BIN)/pytest -q -n auto --dist loadfile --no-loadscope-reorder
# More arguments for pytest, for example: make test PYTEST_ARGS='-x -k sandbox'
PYTEST_ARGS ?=

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: venv ## Plan, apply, edit and remove the sample manifests on real systems
	@scripts/demo

test: export RECONCILE_REQUIRE_ALL := 1
test: export PATH := $(CURDIR)/$(BIN):$(PATH)
test: venv ## Run everything: static checks and all tests, with Docker; nothing may be skipped
	@$(PHASE) "Docker engine" scripts/ensure-engine
	@$(PHASE) "Registry" scripts/ensure-registry
	@$(PHASE) "SSH server" scripts/ensure-sshd
	@$(PHASE) "Browser" scripts/ensure-browser
	@$(PHASE) "Workflow tools" scripts/ensure-workflow-tools
	@$(MAKE) --no-print-directory -j 2 images prepared
	@rm -f .coverage .coverage.*
	@$(PHASE) "Tests" $(PYTEST) --cov --cov-report= --durations=25 $(PYTEST_ARGS)
	@$(PHASE) "Coverage of the package, at least 90 %" \
	  $(BIN)/coverage report --skip-covered --fail-under=90
	@$(PHASE) "Coverage of the core, 100 %" \
	  $(BIN)/coverage report --include='$(CORE_FILES)' --show-missing --fail-under=100

check: export PATH := $(CURDIR)/$(BIN):$(PATH)
check: venv ## Run the quick part: static checks, and the tests without Docker
	@$(MAKE) --no-print-directory static
	@$(PHASE) "Quick tests" $(PYTEST) -m "not browser and not docker and not slow" $(PYTEST_ARGS)

images: # Two minutes in a fresh clone, most of them spent waiting, so it goes on beside the next
	@$(PHASE) "Base images" scripts/ensure-base-image

prepared: venv
	@$(PHASE) "Workflow files" scripts/check-workflows
	@$(PHASE) "NeMo Agent Toolkit" scripts/bootstrap-python --toolkit
	@$(PHASE) "Policy tools" scripts/bootstrap-python --policy
	@$(MAKE) --no-print-directory docs static

wheel-test: ## Build the wheel and run the quick tests against it, installed (PYTHON names the Python, FILE another file)
	@$(PHASE) "Registry" scripts/ensure-registry
	@$(PHASE) "SSH server" scripts/ensure-sshd
	@$(PHASE) "Workflow tools" scripts/ensure-workflow-tools
	@$(PHASE) "Tests of the wheel" scripts/test-wheel $(if $(FILE),--file $(FILE)) $(PYTEST_ARGS)

static: venv # Format, lint, types, layers
	@$(PHASE) "Format" $(BIN)/ruff format --check .
	@$(PHASE) "Lint" $(BIN)/ruff check .
	@$(PHASE) "Shell scripts" scripts/check-shell
	@$(PHASE) "Types" $(BIN)/mypy --explicit-package-bases reconciler tests benchmarks
	@$(PHASE) "Layers" $(BIN)/lint-imports

docs: venv ## Build the documentation's site in .cache/site; a warning is an error
	@$(PHASE) "Documentation" $(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env \
	  --conf-dir docs . .cache/site

laws: venv ## Run the long versions of the laws and the fuzzer (an hour; see docs/testing.md)
	@$(PHASE) "NeMo Agent Toolkit" scripts/bootstrap-python --toolkit
	@RECONCILE_AT_LENGTH=1 RECONCILE_LAW_EXAMPLES=5000 RECONCILE_LAW_STEPS=50 RECONCILE_LAW_KILLS=200 \
	  RECONCILE_LAW_RACES=10000 RECONCILE_FUZZ_SECONDS=60 RECONCILE_FUZZ_SEED=$${RECONCILE_FUZZ_SEED:-$$RANDOM} $(PHASE) "Laws, at length" \
	  $(PYTEST) tests/laws tests/render tests/agent/test_sequences.py tests/mcp_server/test_random_calls.py \
	    tests/toolkit/test_random_calls.py tests/sandbox/test_schemathesis.py tests/manifest/test_fuzz.py $(PYTEST_ARGS)

mutation: venv ## Change the core in thousands of ways and see which changes no test notices (30 minutes)
	@test -x $(MUTATION)/bin/mutmut || { $(BIN)/python -m venv $(MUTATION) && \
	  $(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	    > "$$($(MUTATION)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth" && \
	  $(MUTATION)/bin/pip install --quiet mutmut==3.8.1; }
	@rm -rf mutants && $(MUTATION)/bin/mutmut run --max-children 2 && $(MUTATION)/bin/mutmut results

bench: venv ## Run the benchmarks and print ratios with the peers
	@$(PHASE) "Benchmarks" $(BIN)/python -m benchmarks

lock: ## Resolve the locked requirements anew (UPGRADE=1 takes newer versions)
	@scripts/lock $(if $(UPGRADE),--upgrade)

format: venv ## Format the code and apply the linter's safe fixes
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only .

clean: ## Remove .venv and caches, stop an engine of ours; images and containers stay
	@scripts/stop-engine
	rm -rf .venv .venv-toolkit .cache mutants .reconcile .coverage .coverage.* htmlcov dist build \
	  .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv: # Not a file: the script looks by itself whether anything has changed
	@scripts/bootstrap-python

.PHONY: help demo test check images prepared wheel-test static docs laws mutation bench lock format clean venv
