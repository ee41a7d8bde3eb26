#!/usr/bin/env bash
# Make data/<language>_{train,valid,test} of Common Voice.
#
# It may be downloaded by those who have accepted its terms: from a directory of yours,
# which is only read, or by the signed URLs that you get, one for each language.
#
# Options, with their defaults:
set -euo pipefail

# options
langs=          # languages, by Common Voice's codes, as "cy sv-SE zh-CN"
commonvoice=${COMMONVOICE:-} # directory with cv-corpus-*/<code>, <code> or the archives
urls=           # signed URLs of the archives in the order of langs; separated by spaces
downloads=downloads # where archives are downloaded and unpacked
nj=2            # threads that convert audio
# end of options

# shellcheck source=../../../../local/parse_options.sh
. ../../../local/parse_options.sh
# shellcheck source=../../../TEMPLATE/merge1/path.sh
. ./path.sh

read -ra codes <<<"${langs//,/ }"
read -ra addresses <<<"$urls"
python3 ../../../local/corpora/prepare_common_voice.py --langs "${codes[@]}" \
  --urls "${addresses[@]}" --commonvoice "$commonvoice" --downloads "$downloads" --nj "$nj"
