#!/usr/bin/env bash
# Measure all that a GPU is for, in at most 8 minutes, and write benchmarks/GPU.md.
#
#   benchmarks/gpu.sh [--model DIR] [--work DIR]
#
# No network is needed. PYTHON names a Python that has the dependencies, if it is not that
# of .venv. Without a GPU this does nothing, and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

status=0
timeout 480 "${PYTHON:-.venv/bin/python}" benchmarks/gpu.py "$@" || status=$?
if ((status == 124)); then
  echo "gpu.sh: error: stopped after 8 minutes; the table has what was done." >&2
fi
exit "$status"
