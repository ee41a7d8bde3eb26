# `make` lists the targets. Each does all the set-up it needs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo test lint check docs clean

BIN := .venv/bin

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 15

setup: .venv/.installed ## .venv with all dependencies, ESPnet's scripts in tools/espnet
	@tools/install_espnet.sh

.venv/.installed: pyproject.toml tools/make_venv.sh
	@tools/make_venv.sh
	@touch $@

demo: setup ## train, merge, decode and score on real speech; half an hour on 2 cores
	@egs2/prompts/merge1/run.sh --config conf/demo.yaml

test: setup ## all tests: shell, then Python
	@tools/install_browser.sh
	@$(BIN)/bats tests/shell
	@$(BIN)/pytest -q

lint: setup ## ruff, mypy, import-linter, shellcheck
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@git ls-files -z '*.sh' '*.bash' '*.bats' .ci/run | xargs -0 $(BIN)/shellcheck

check: lint test ## what CI runs

docs: setup ## write docs/methods and the picture of the rooms from the code
	@$(BIN)/python -m docs.generate
	@$(BIN)/python -m docs.rooms

clean: ## remove caches and build products; keeps .venv, data and experiments
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis tools/downloads
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
