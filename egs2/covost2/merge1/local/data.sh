#!/usr/bin/env bash
# Make data/<language>-en_{train,valid,test} of CoVoST 2 (English texts of speech in
# other languages), data/<language>_... of the same speech with its own texts,
# data/en_... of LibriSpeech and data/zh_... of AISHELL-1.
#
# A directory given by an option or a variable is only read. Without one the archives are
# downloaded and unpacked; interrupted downloads are resumed. Common Voice must be given,
# because one must accept its terms to download it. README.md lists the sizes.
#
# Options, with their defaults:
set -euo pipefail

# options
translate=      # languages translated into English, by Whisper's codes
transcribe=     # languages recognised, of Common Voice with CoVoST's splits
asr=            # further corpora for recognition, of librispeech and aishell
commonvoice=${COMMONVOICE:-} # directory with Common Voice 4: ca/clips, ca/validated.tsv
covost=${COVOST2:-} # directory with covost_v2.<language>_en.tsv, or their archives
librispeech=${LIBRISPEECH:-} # directory with LibriSpeech/, or the archives of its parts
librispeech_train="train-clean-100" # its parts for training
aishell=${AISHELL:-} # directory with data_aishell/, or its archive
downloads=downloads # where archives are downloaded and unpacked
nj=2            # threads that convert audio
# end of options

# shellcheck source=../../../../local/parse_options.sh
. ../../../local/parse_options.sh
# shellcheck source=../../../TEMPLATE/merge1/path.sh
. ./path.sh

read -ra translate_names <<<"${translate//,/ }"
read -ra transcribe_names <<<"${transcribe//,/ }"
read -ra asr_names <<<"${asr//,/ }"
read -ra parts <<<"${librispeech_train//,/ }"
python3 ../../../local/corpora/prepare_covost2.py --translate "${translate_names[@]}" \
  --transcribe "${transcribe_names[@]}" --asr "${asr_names[@]}" \
  --librispeech_train "${parts[@]}" --commonvoice "$commonvoice" --covost "$covost" \
  --librispeech "$librispeech" --aishell "$aishell" --downloads "$downloads" --nj "$nj"
