# `make run` and `make test` need Python 3.11 to 3.13 and make everything else themselves.

VENV := .venv
BIN := $(VENV)/bin

PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	2>/dev/null && echo "$$python" && break; done)

# `make images REGISTRY=registry.example.com/gyrus/ TAG=0.1.0`; "buildah build" is as good.
BUILD ?= docker build
REGISTRY ?=
TAG ?= 0.1.0

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test install lint format bench load images gpu-image chart clean

run: $(VENV)/.stamp-run
	@exec $(BIN)/gyrus up

test: lint
	$(BIN)/pytest -n 2 --dist loadgroup

install: $(VENV)/.stamp-dev

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(VENV)/.stamp-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.stamp-dev
	$(BIN)/python -m loadtests.bench

load: $(VENV)/.stamp-dev
	$(BIN)/python -m loadtests

VERSIONS = --build-arg VERSION=$(TAG) --build-arg REVISION=$$(git rev-parse HEAD)

images:
	for part in train serve gateway mlflow; do \
		$(BUILD) --target $$part --tag $(REGISTRY)gyrus-$$part:$(TAG) $(VERSIONS) . || exit 1; done

gpu-image:
	$(BUILD) --target train --tag $(REGISTRY)gyrus-train-gpu:$(TAG) $(VERSIONS) \
		--build-arg 'TENSORFLOW=tensorflow[and-cuda]' .

chart: $(VENV)/.stamp-dev
	$(BIN)/python helm/document.py

clean:
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# Bytecode is made here, once: where Python may not write any, each start of a training would.
# A stamp is newer than what it was made from as long as nothing need be installed again.
$(VENV)/.stamp-run: EXTRAS := train,serve,gateway
$(VENV)/.stamp-dev: EXTRAS := train,serve,gateway,mlflow,dev
$(VENV)/.stamp-run $(VENV)/.stamp-dev: pyproject.toml constraints.txt | $(VENV)/.stamp-python
	PATH="$(CURDIR)/$(BIN):$$PATH" uv pip install --compile-bytecode --python $(BIN)/python \
		--constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

$(VENV)/.stamp-python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "gyrus: Python 3.11, 3.12 or 3.13 is needed and none was found." \
			"Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@if command -v uv >/dev/null; then uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV); \
		else "$(PYTHON)" -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; fi
	@touch $@
