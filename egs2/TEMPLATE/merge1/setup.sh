#!/usr/bin/env bash
# Make a recipe directory: egs2/TEMPLATE/merge1/setup.sh egs2/<corpus>/merge1
#
# Then 'espnet-merge import' makes data/ of a corpus (docs/own_corpus.md), or you write
# local/data.sh; and run.sh runs.
set -euo pipefail

if (($# != 1)) || [[ $1 == -* ]]; then
  sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
  exit 2
fi
template=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$template/../../.." && pwd)
parent=$(mkdir -p "$(dirname "$1")" && cd "$(dirname "$1")" && pwd)
dir=$parent/$(basename "$1")
if [[ $(dirname "$parent") != "$root/egs2" ]]; then
  echo "setup.sh: error: a recipe must be egs2/<corpus>/<name>; got '$1'." >&2
  exit 2
fi
if [[ -e $dir ]]; then
  echo "setup.sh: error: '$1' must not exist yet; choose another name." >&2
  exit 2
fi

mkdir -p "$dir/local" "$dir/conf"
ln -s ../../TEMPLATE/merge1/path.sh "$dir/path.sh"
cp "$template/cmd.sh" "$dir/cmd.sh"
cp "$root/conf/slurm.conf" "$dir/conf/slurm.conf"

cat >"$dir/run.sh" <<'EOF'
#!/usr/bin/env bash
# An expert NAME is trained on data/NAME_train and data/NAME_valid. NAME begins with
# Whisper's code of its language: es, es_news; one that translates with both: es-en.
# "auto" takes all that data/ holds; name them, as "es it", if local/data.sh makes them.
set -euo pipefail
cd "$(dirname "$0")"

exec ../../TEMPLATE/merge1/merge.sh \
  --experts auto \
  --test_sets auto \
  "$@"
EOF

cat >"$dir/local/data.sh" <<'EOF'
#!/usr/bin/env bash
# Stage 1 runs this. There is nothing to do if 'espnet-merge import' has made data/. Else
# write data/<name>_{train,valid,test}: Kaldi data directories (wav.scp, text, utt2spk;
# segments if there are any) with two more tables, "utt2lang" (utterance, Whisper's
# language code) and "utt2task" (utterance, transcribe or translate).
set -euo pipefail
EOF
chmod +x "$dir/run.sh" "$dir/local/data.sh"
echo "$1: now import a corpus into it, or write local/data.sh:"
echo "  cd $1 && espnet-merge import CORPUS --from csv --lang es && ./run.sh"
