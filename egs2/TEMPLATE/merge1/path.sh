# shellcheck shell=bash
# The environment of every job; a scheduler may hand on none, so jobs source this too.
MAIN_ROOT=$(cd ../../.. && pwd)
export PATH=$MAIN_ROOT/.venv/bin:$PWD/utils:$PATH
export PYTHONPATH=$MAIN_ROOT${PYTHONPATH:+:$PYTHONPATH}
export LC_ALL=C PYTHONUTF8=1 PYTHONUNBUFFERED=1
# One thread per process: jobs run in parallel, and a second thread on a busy core makes
# both slower.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
export TOKENIZERS_PARALLELISM=false HF_HUB_DISABLE_PROGRESS_BARS=1
