#!/usr/bin/env bash
# Adapters on Whisper small for five languages of FLEURS that are close in pairs, and merges.
set -euo pipefail
cd "$(dirname "$0")"

exec ../../TEMPLATE/merge1/merge.sh \
  --base small --kinds lora --merge_kind lora --joint lora --ngpu 1 --decode_nj 1 \
  --experts "ca gl da no cs" \
  --test_sets "ca_test gl_test da_test no_test cs_test en_test es_test" \
  --data_opts "--fleurs_langs ca,gl,da,no,cs,en,es" \
  "$@"
