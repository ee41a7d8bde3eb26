#!/usr/bin/env bash
# Experts for three languages of Common Voice, their merges, and two that nobody learned.
set -euo pipefail
cd "$(dirname "$0")"

exec ../../TEMPLATE/merge1/merge.sh \
  --base small --kinds lora --merge_kind lora --joint lora --ngpu 1 --decode_nj 1 \
  --experts "cy eu lt" \
  --test_sets "cy_test eu_test lt_test gl_test lv_test" \
  --data_opts "--langs cy,eu,lt,gl,lv" \
  "$@"
