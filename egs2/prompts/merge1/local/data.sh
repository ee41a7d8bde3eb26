#!/usr/bin/env bash
# Make data/<set>_{train,valid,test} from Debian's packages of recorded speech.
#
# Packages are downloaded by apt-get. If that is missing or fails, set DEBIAN_MIRROR to the
# base address of a Debian mirror. Downloads are kept in ESPNET_MERGE_CACHE (~/.cache/espnet_merge).
#
# Options, with their defaults:
set -euo pipefail

# options
langs="es it ru en fr" # languages; each domain takes those that it has
domains=prompts        # of prompts (es it ru en fr), dialogue (cs nl), captions (fr es ru ro ca bg el be da), drascula (en es) and queen (en)
suffix=false           # name the sets of prompts <language>_prompts, not <language>
translate=             # languages of which to make <language>-en… as well: prompts and drascula with English texts
test=30                # of 100 sentences, how many are for test
valid=10               # of 100 sentences, how many are for validation
# end of options

# shellcheck source=../../../../local/parse_options.sh
. ../../../local/parse_options.sh
# shellcheck source=../../../TEMPLATE/merge1/path.sh
. ./path.sh

read -ra lang_names <<<"${langs//,/ }"
read -ra domain_names <<<"${domains//,/ }"
read -ra translate_names <<<"${translate//,/ }"
words=()
if [[ $suffix == true ]]; then words+=(--suffix); fi
python3 ../../prompts/merge1/local/prepare.py --langs "${lang_names[@]}" \
  --domains "${domain_names[@]}" --translate "${translate_names[@]}" --test "$test" \
  --valid "$valid" --data data --audio data/local "${words[@]}"
