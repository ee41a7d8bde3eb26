# `make` lists the targets. Each does all the set-up it needs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo test test-slurm lint check docs docs-serve pages lock upgrade clean

BIN := .venv/bin
# yes: the releases of constraints.txt; no: the newest that pyproject.toml allows.
LOCK ?= yes

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 15

setup: .venv/.installed-$(LOCK) ## .venv with all dependencies (LOCK=no: newest), ESPnet's scripts
	@tools/install_espnet.sh

# A stamp for each LOCK, and only one at a time: another LOCK installs again.
.venv/.installed-%: pyproject.toml constraints.txt tools/make_venv.sh
	@tools/make_venv.sh $*
	@rm -f .venv/.installed*
	@touch $@

demo: setup ## train, merge, decode and score on real speech; twenty minutes on 2 cores
	@egs2/prompts/merge1/run.sh --config conf/demo.yaml

test: setup ## all tests: shell, then Python
	@tools/install_browser.sh
	@$(BIN)/bats tests/shell
	@$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test-slurm: setup ## faults of a real SLURM of two nodes on this machine (as root, Debian)
	@tools/install_slurm.sh
	@TEST_SLURM=yes $(BIN)/pytest -q -n 2 --dist loadgroup tests/slurm

lint: setup ## ruff, mypy, import-linter, shellcheck
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@git ls-files -z '*.sh' '*.bash' '*.bats' .ci/run | xargs -0 $(BIN)/shellcheck

check: lint test ## what CI runs

docs: pages ## build the documentation site, build/site, of pages, code and results
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "docs: open build/site/index.html"

docs-serve: pages ## the same on http://localhost:8000, made anew when a page changes
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve --strict

pages: setup ## write the pages and pictures in docs that are made of the code
	@$(BIN)/python -m docs.generate
	@$(BIN)/python -m docs.rooms
	@$(BIN)/python -m docs.site.pictures
	@$(BIN)/python -m docs.site.training

lock: ## add to constraints.txt what pyproject.toml newly asks for; the rest stays
	@tools/lock.sh

upgrade: setup ## renew constraints.txt, run the tests, say what moved
	@moved=$$(tools/lock.sh --upgrade); trap 'echo "$$moved"' EXIT; \
	  $(MAKE) test LOCK=yes

clean: ## remove caches and build products; keeps .venv, data and experiments
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis tools/downloads
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
