#!/usr/bin/env bash
# Remove a language from a frozen Whisper that has one adapter for each language.
#
# Run it in a recipe directory. The adapter is moved to exp/removed_NAME, with its
# hypotheses. The other languages are decoded before and after: not a byte of their
# hypotheses may change.
#
# Options, with their defaults:
set -euo pipefail

here=$(dirname "$0")
. "$here/shared_options.sh"

# options
stage=1           # first stage to run: 1 before
stop_stage=3      # last stage to run: 2 remove 3 decode
language=         # NAME of the expert to remove
# of shared_options.sh: decode_config decode_args hear decode_nj inference_nj dumpdir expdir
# end of options

. ../../../local/parse_options.sh
. ../../../local/stage.sh
. ../../../local/jobs.sh
. ../../../local/decode.sh
. ./path.sh
. ./cmd.sh
. "$here/languages.sh"

check_stages 3
[[ -n $language ]] || fail "--language must name the expert to remove, as 'cs'."
there=$expdir/lora_$language gone=$expdir/removed_$language
[[ -d $there/model || -d $gone ]] ||
  fail "$there/model must be a trained adapter; there is none: $expdir has" \
    "'$(other_experts "" | xargs)'."
[[ ! -d $there || ! -e $gone ]] ||
  fail "$gone must not exist yet; it does: move it away."
mapfile -t old < <(other_experts "$language")
decode_config=$(conf_file decode "$decode_config")

# Stage 1
decode_old() { run_parallel "$decode_nj" decode_language "${old[@]}"; }

# Stage 2
move_adapter() {
  if [[ -d $there ]]; then mv "$there" "$gone"; fi
  log "$language is in $gone; delete that when you no longer need it"
}

# Stage 3
decode_rest() { run_parallel "$decode_nj" check_unchanged "${old[@]}"; }

run_stage 1 "lora_{${old[*]}} -> hypotheses before" decode_old
run_stage 2 "$there -> $gone" move_adapter
run_stage 3 "lora_{${old[*]}} -> hypotheses after" decode_rest
