#!/usr/bin/env bash
# An adapter per language on Whisper small: four languages of MLS, and the test sets of
# four of FLEURS, which add_language.sh adds one by one.
set -euo pipefail
cd "$(dirname "$0")"

../../TEMPLATE/merge1/merge.sh \
  --base small --kinds lora --merge_kind lora --ngpu 1 \
  --experts "es it pl pt" \
  --test_sets "es_test it_test pl_test pt_test da_test el_test cy_test ja_test" \
  --data_opts "--mls_langs es,it,pl,pt --fleurs_langs da,el,cy,ja" \
  "$@"
