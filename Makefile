# Every target does its own set-up; the second call finds it done. Presupposes git, make and Python 3.11.
.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo test test-slow coverage docs hooks bench faults lint format wire clean distclean

BIN := .venv/bin
export OMP_WAIT_POLICY ?= PASSIVE

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 20

setup: ## system libraries, .venv, SurgNav itself
	@scripts/setup

setup-tests: ## and what only tests and benchmarks need
	@scripts/setup tests

demo: setup ## the whole path on one patient; pictures and numbers in out/demo
	$(BIN)/surgnav demo --out out/demo --json out/demo/demo.json

test: setup-tests ## the tests; one of them: make test ARGS="tests/geometry -k axioms"
	$(BIN)/python -m pytest $(ARGS)

test-slow: setup-tests ## the tests that take minutes
	$(BIN)/python -m pytest -m slow $(ARGS)

bench: setup-tests ## the benchmarks, each beside its rivals; those in benchmarks/ultrasound need the folder of recordings
	@for benchmark in $(filter-out benchmarks/ultrasound/%,$(wildcard benchmarks/*/bench_*.py)); do echo "== $$benchmark"; $(BIN)/python "$$benchmark" || exit 1; done

coverage: setup-tests ## what the tests run of the program; report in out/coverage; some: make coverage ARGS="tests/case"
	@mkdir -p out/coverage
	$(BIN)/python -m coverage run -m pytest $(ARGS)
	$(BIN)/python -m coverage html --quiet
	$(BIN)/python -m coverage report

docs: setup ## API pages from the docstrings: out/docs/index.html
	$(BIN)/python -m scripts.docs

hooks: setup ## git runs style and format before a commit, types and layers before a push
	$(BIN)/pre-commit install

faults: setup-tests ## which deliberate faults the tests notice; some: make faults ARGS="tip registration/"
	@$(BIN)/python -m scripts.faults $(ARGS)

lint: setup ## style, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

format: setup ## put the format right
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wire: setup ## code and tables from unity_bridge/wire/wire_schema.toml; commit what it writes
	$(BIN)/python -m scripts.wire

clean: ## caches (out/, which holds your results, stays)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

distclean: clean ## and the set-up
	rm -rf .venv .setup.log .setup.lock *.egg-info
