#!/usr/bin/env bash
# Adapters on Whisper small for four languages of MLS, and their merges, on these and on
# four languages of FLEURS.
set -euo pipefail
cd "$(dirname "$0")"

exec ../../TEMPLATE/merge1/merge.sh \
  --base small --kinds lora --merge_kind lora --joint lora --ngpu 1 --decode_nj 1 \
  --experts "es it pl pt" \
  --test_sets "es_test it_test pl_test pt_test da_test el_test cy_test ja_test" \
  --data_opts "--mls_langs es,it,pl,pt --fleurs_langs da,el,cy,ja" \
  "$@"
