#!/usr/bin/env bash
# Experts for translation into English (es-en: Spanish speech, English text) and for
# recognition, merged into one model.
set -euo pipefail
cd "$(dirname "$0")"

../../TEMPLATE/merge1/merge.sh \
  --base small --ngpu 1 \
  --experts "ca-en de-en es-en fr-en ca de es fr en zh" \
  --test_sets "ca-en_test de-en_test es-en_test fr-en_test ca_test de_test es_test fr_test en_test zh_test" \
  --data_opts "--translate ca,de,es,fr --transcribe ca,de,es,fr --asr librispeech,aishell" \
  "$@"
