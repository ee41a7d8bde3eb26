#!/usr/bin/env bash
# Make data/en_{train,valid,test} of AN4.
#
# A directory given by an option or a variable is only read. Without one the archive is
# downloaded (64 MB) and unpacked; an interrupted download is resumed.
#
# Options, with their defaults:
set -euo pipefail

# options
an4=${AN4:-}    # directory with an4/, or with an4_sphere.tar.gz
valid=100       # utterances of training for validation, as in ESPnet's recipe
downloads=downloads # where the archive is downloaded and unpacked
nj=2            # threads that convert audio
# end of options

# shellcheck source=../../../../local/parse_options.sh
. ../../../local/parse_options.sh
# shellcheck source=../../../TEMPLATE/merge1/path.sh
. ./path.sh

python3 ../../../local/corpora/prepare_an4.py --an4 "$an4" --valid "$valid" \
  --downloads "$downloads" --nj "$nj"
