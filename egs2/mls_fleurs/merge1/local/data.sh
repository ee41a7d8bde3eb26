#!/usr/bin/env bash
# Make data/<language>_{train,valid,test} of MLS and FLEURS.
#
# A directory given by an option or a variable is only read. Without one the archives are
# downloaded and unpacked; interrupted downloads are resumed. README.md lists the sizes.
#
# Options, with their defaults:
set -euo pipefail

# options
mls_langs=      # languages taken from MLS, of de en es fr it nl pl pt
fleurs_langs=   # languages taken from FLEURS, by Whisper's codes
mls=${MLS:-}    # directory with mls_<name>_opus/, or their archives
fleurs=${FLEURS:-} # directory with the folders of the languages (da_dk ...), as on the hub
mls_train=10h   # training data of MLS: 10h or 1h (its limited supervision), or all
mls_audio=opus  # which of its archives: opus, or flac (four times the size)
fleurs_text=transcription # or raw_transcription, with capitals and punctuation
downloads=downloads # where archives are downloaded and unpacked
nj=2            # threads that convert audio
# end of options

# shellcheck source=../../../../local/parse_options.sh
. ../../../local/parse_options.sh
# shellcheck source=../../../TEMPLATE/merge1/path.sh
. ./path.sh

read -ra mls_names <<<"${mls_langs//,/ }"
read -ra fleurs_names <<<"${fleurs_langs//,/ }"
python3 ../../../local/corpora/prepare_mls_fleurs.py --mls_langs "${mls_names[@]}" --fleurs_langs "${fleurs_names[@]}" \
  --mls_train "$mls_train" --mls_audio "$mls_audio" --fleurs_text "$fleurs_text" \
  --mls "$mls" --fleurs "$fleurs" --downloads "$downloads" --nj "$nj"
