#!/usr/bin/env bash
# Experts for the eight languages of MLS but English, ten hours of each, and merges.
set -euo pipefail
cd "$(dirname "$0")"

exec ../../TEMPLATE/merge1/merge.sh \
  --base small --kinds full --ngpu 1 --decode_nj 1 \
  --experts "de es fr it nl pl pt" \
  --test_sets "de_test es_test fr_test it_test nl_test pl_test pt_test" \
  --data_opts "--mls_langs de,es,fr,it,nl,pl,pt --mls_train 10h" \
  "$@"
