#!/usr/bin/env bash
# The smallest corpus of ESPnet's recipes: one expert in an hour of spelt names and numbers.
set -euo pipefail
cd "$(dirname "$0")"

exec ../../TEMPLATE/merge1/merge.sh \
  --base base --kinds "full lora" \
  --experts en \
  --test_sets en_test \
  --merge_configs "task_arithmetic" \
  "$@"
