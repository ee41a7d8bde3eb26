#!/usr/bin/env bash
# Remove a language from those that one frozen Whisper serves with an adapter each.
#
# Run it in a recipe directory. The adapter is moved to exp/removed_NAME, with all that
# was decoded by it. The others are decoded before and after: their hypotheses must be
# what they were, to the byte.
#
# Options, with their defaults:
set -euo pipefail

here=$(dirname "$0")
. "$here/shared_options.sh"

# options
stage=1           # first stage to run: 1 before
stop_stage=3      # last stage to run: 2 remove 3 decode
language=         # NAME of the expert to remove
# of shared_options.sh: decode_config decode_args decode_nj inference_nj dumpdir expdir
# end of options

. ../../../local/parse_options.sh
. ../../../local/stage.sh
. ../../../local/decode.sh
. ./path.sh
. ./cmd.sh
. "$here/languages.sh"

check_stages 3
[[ -n $language ]] || fail "--language must name the expert to remove, as 'cs'."
there=$expdir/lora_$language gone=$expdir/removed_$language
[[ -d $there/model || -d $gone ]] ||
  fail "$there/model must be a trained adapter; there is none: $expdir has" \
    "'$(others "" | xargs)'."
[[ ! -d $there || ! -e $gone ]] ||
  fail "$gone must not exist yet; it does: move it away."
mapfile -t old < <(others "$language")
decode_config=$(conf_file decode "$decode_config")

# Stage 1
decode_old() { run_parallel "$decode_nj" decode_before "${old[@]}"; }

# Stage 2
remove() {
  if [[ -d $there ]]; then mv "$there" "$gone"; fi
  log "$language is in $gone; remove that when it is not needed any more"
}

# Stage 3
decode_rest() { run_parallel "$decode_nj" again "${old[@]}"; }

run_stage 1 "lora_{${old[*]}} -> hypotheses before" decode_old
run_stage 2 "$there -> $gone" remove
run_stage 3 "lora_{${old[*]}} -> hypotheses after" decode_rest
