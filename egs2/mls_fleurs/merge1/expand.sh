#!/usr/bin/env bash
# LoRA-Whisper's question: four languages of MLS, and four of FLEURS added in five ways.
set -euo pipefail
cd "$(dirname "$0")"

exec ../../TEMPLATE/merge1/expand.sh \
  --base small --ngpu 1 --decode_nj 1 \
  --old "es it pl pt" \
  --new "da el cy ja" \
  --data_opts "--mls_langs es,it,pl,pt --fleurs_langs da,el,cy,ja" \
  "$@"
