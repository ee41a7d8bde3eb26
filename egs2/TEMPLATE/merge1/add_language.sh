#!/usr/bin/env bash
# Add a language, with an adapter of its own, to a frozen Whisper that has one adapter for
# each language.
#
# Run it in a recipe directory whose LoRA experts are trained. local/data.sh must make
# data/NAME_{train,valid,test} of the new language. Its adapter starts from that of the
# most similar trained language, or a gate mixes it with those of the most similar ones.
# Then the other languages are decoded again: not a byte of their hypotheses may change.
#
# Options, with their defaults:
set -euo pipefail

here=$(dirname "$0")
. "$here/shared_options.sh"

# options
stage=1           # first stage to run: 1 before 2 data 3 similarity 4 train
stop_stage=6      # last stage to run: 5 decode 6 score
language=         # NAME of the new expert; it begins with Whisper's code of the language
init=auto         # start from an adapter: auto, least, NAME, none; or a mixture of them
# of shared_options.sh: nearest lora_config mixture_config train_args similarity_args
# of shared_options.sh: decode_config decode_args hear decode_nj inference_nj normalizer
# of shared_options.sh: dumpdir expdir
# passed on to merge.sh: data_opts min_train_seconds max_train_seconds
# passed on to merge.sh: max_train_utterances max_valid_utterances max_test_utterances
# passed on to merge.sh: nj ngpu num_nodes python
# end of options

. ../../../local/parse_options.sh
. ../../../local/stage.sh
. ../../../local/jobs.sh
. ../../../local/decode.sh
. ./path.sh
. ./cmd.sh
. "$here/languages.sh"

check_stages 6
[[ -n $language ]] || fail "--language must name the new expert, as 'cs'."
mapfile -t old < <(other_experts "$language")
((${#old[@]})) ||
  fail "$expdir must hold a trained LoRA expert, as $expdir/lora_es/model; it has none:" \
    "run run.sh --kinds lora --merge_kind lora first."
[[ " auto least mixture none ${old[*]} " == *" $init "* ]] ||
  fail "--init must be auto, least, mixture, none, or one of '${old[*]}'; got '$init'."
[[ -f $expdir/zero_shot/.done ]] ||
  fail "$expdir/base must be made by run.sh, whose stage 4 notes what of; it is not."
decode_config=$(conf_file decode "$decode_config")
read -ra similarity_words <<<"$similarity_args"
codes=("${old[@]%%_*}")
new=$expdir/lora_$language
similarity=$expdir/similarity_$language # a new training sets $new aside
if [[ " auto least " == *" $init "* && ${#old[@]} == 1 ]]; then init=${old[0]}; fi
chosen=false # by similarity
if [[ " auto least mixture " == *" $init "* ]]; then chosen=true; fi
if [[ $init == mixture ]]; then lora_config=$mixture_config; fi

new_expert() { # FIRST LAST [OPTION VALUE]...: stages of merge.sh for the new language
  "$here/merge.sh" --stage "$1" --stop_stage "$2" --experts "$language" --kinds lora \
    --joint "" --merge_configs "" --test_sets "${language}_test" \
    --base "$(first_line "$expdir/zero_shot/.done")" --lora_config "$lora_config" \
    --dumpdir "$dumpdir" --expdir "$expdir" "${passed_on[@]}" "${@:3}"
}

# Stage 1
decode_old() { run_parallel "$decode_nj" decode_language "${old[@]}"; }

# Stage 2
prepare_data() { new_expert 1 6; }

# Stage 3
measure_similarity() {
  if [[ $chosen == false ]]; then
    log "--init $init: nothing to choose"
    return
  fi
  espnet-merge similarity --model "$expdir/base" --data "$dumpdir/${language}_train" \
    --languages "$(IFS=,; echo "${codes[*]}")" --output "$similarity" --overwrite \
    "${similarity_words[@]}"
}

# Stage 4
train_new() {
  local start=
  case $init in
    none) ;;
    auto | least) start="--init_adapter $init" ;;
    mixture) start="--mixture_conf nearest=$nearest" ;;
    *) start="--init_adapter $expdir/lora_$init/model" ;;
  esac
  if [[ $chosen == true ]]; then
    start+=" $(similarity_options "$similarity/similarity.json" "${old[@]}")"
  fi
  new_expert 7 7 --take_added false --train_args "$train_args $start"
  touch "$new/.added" # merge.sh takes it as it is
}

# Stage 5
decode_all() {
  decode_language "$language"
  run_parallel "$decode_nj" check_unchanged "${old[@]}"
}

# Stage 6
score_all() {
  local name
  for name in "$language" "${old[@]}"; do
    espnet-merge score --ref "$dumpdir/${name}_test" \
      --hyp "$(inference_dir "$name")/${name}_test" --normalizer "$normalizer"
  done
}

run_stage 1 "lora_{${old[*]}} -> hypotheses before" decode_old
run_stage 2 "data/${language}_* -> $dumpdir/${language}_*" prepare_data
run_stage 3 "$dumpdir/${language}_train, $expdir/base -> $similarity" measure_similarity
run_stage 4 "$dumpdir/${language}_*, adapter of '$init' -> $new/model" train_new
run_stage 5 "lora_{${old[*]} $language} -> hypotheses after" decode_all
run_stage 6 "hypotheses -> score.json" score_all
