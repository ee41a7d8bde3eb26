#!/usr/bin/env bash
# Make data/en_{clean,other}_{train,valid,test} of LibriSpeech.
#
# A directory given by an option or a variable is only read. Without one the archives are
# downloaded and unpacked; interrupted downloads are resumed. README.md lists the sizes.
#
# Options, with their defaults:
set -euo pipefail

# options
train="train-clean-100 train-other-500" # parts for training; train-clean-360 is the third
librispeech=${LIBRISPEECH:-} # directory with LibriSpeech/, or the archives of its parts
downloads=downloads # where archives are downloaded and unpacked
nj=2            # threads that look at audio
# end of options

# shellcheck source=../../../../local/parse_options.sh
. ../../../local/parse_options.sh
# shellcheck source=../../../TEMPLATE/merge1/path.sh
. ./path.sh

read -ra parts <<<"${train//,/ }"
python3 ../../../local/corpora/prepare_librispeech.py --train "${parts[@]}" \
  --librispeech "$librispeech" --downloads "$downloads" --nj "$nj"
