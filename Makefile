# `make repro` runs the pipeline, `make test` the suite; both make the environment they need.
# PYTHON chooses the interpreter (3.11 or newer), VENV where the environment lies.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: repro test lint docs bench environment share fetch

environment: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mmrec needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[embedded,dev]'
	touch $@

repro: $(VENV)/installed
	@$(BIN)/python -m mmrec.project
	@$(BIN)/python -m mmrec.params
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/dvc repro
	@$(BIN)/python -m mmrec.report

# To and from the team's DVC remote; see docs/sharing_features.md.
share: $(VENV)/installed
	@$(BIN)/python -m mmrec.project team
	$(BIN)/dvc push --run-cache
	$(BIN)/python -m mmrec.features.cache push

fetch: $(VENV)/installed
	@$(BIN)/python -m mmrec.project team
	@$(BIN)/python -m mmrec.params
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/dvc repro --pull

# With bytecode, whatever the environment says: tests start hundreds of processes.
test: $(VENV)/installed
	PATH="$(abspath $(BIN)):$$PATH" env -u PYTHONDONTWRITEBYTECODE \
	  $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder --durations 20

# Against RecBole and RecTools, on DATA=<sequences file> or on simulated data; then what else
# needs no data of yours. A benchmark that cannot run says so and does not stop the others.
bench: $(VENV)/installed
	-$(BIN)/python -m benchmarks.peers $(DATA)
	-$(BIN)/python -m benchmarks.shared_machine $(DATA)
	-$(BIN)/python -m benchmarks.feature_cache
	-$(BIN)/python -m benchmarks.crawl

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documentation as a site, without any network; a link that leads nowhere is an error.
docs: $(VENV)/installed
	rm -rf build/docs
	$(BIN)/sphinx-build -c docs -d build/doctrees -E -W --keep-going -q . build/docs
	@echo "build/docs/index.html: written"
