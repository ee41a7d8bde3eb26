#!/usr/bin/env bash
# Compare ways to add languages to a Whisper that is trained on others already.
#
# Trains the old languages by full fine-tuning and by LoRA, separately and jointly. Then
# adds each new language in every way, with several seeds, decodes all, and writes tables:
# what is gained on the new language, and what is lost on the old ones, in EXPAND.md; how
# sure the differences to "scratch" are, in EXPAND.NAME.md for each new language. The ways:
#   scratch  a LoRA adapter of its own
#   warm     the same, started from the adapter of the most similar old language
#   least    the same, started from that of the least similar one
#   mixture  a gate over the adapters of the most similar languages and a new one
#   full     full fine-tuning of the model that was fully fine-tuned on all old languages
# All but the last leave base and old adapters unchanged.
#
# Options, with their defaults:
set -euo pipefail

here=$(dirname "$0")
. "$here/shared_options.sh"

# options
stage=1           # first stage to run: 1 old languages 2 data of the new 3 similarity
stop_stage=7      # last stage to run: 4 train 5 decode 6 score 7 table
old=              # names of the old experts, as "es it ru"
new=              # names of the new ones, as "cs_dialogue"; a name begins with its code
ways="scratch warm least mixture full" # how each new language is added
seeds="1 2 3"     # seeds of the training; each way is trained once with each
test_sets=        # further test sets under data/, in addition to NAME_test of each expert
groups=           # the experts that these belong to, as "es=es_phone_test,es_tv_test"
expdir=exp/expand # where models, hypotheses and results go
# of shared_options.sh: nearest full_config lora_config mixture_config train_args train_nj
# of shared_options.sh: similarity_args decode_config base_decode_config decode_args
# of shared_options.sh: hear decode_nj inference_nj normalizer dumpdir results
# passed on to merge.sh: data_opts base min_train_seconds max_train_seconds
# passed on to merge.sh: max_train_utterances max_valid_utterances max_test_utterances
# passed on to merge.sh: nj ngpu num_nodes python
# end of options

. ../../../local/parse_options.sh
. ../../../local/stage.sh
. ../../../local/plan.sh
. ../../../local/jobs.sh
. ../../../local/decode.sh
. ./path.sh
. ./cmd.sh
. "$here/languages.sh"
. "$here/groups.sh"

check_stages 7
[[ -n $old ]] || fail "--old must name the old experts, as 'es it ru'."
[[ -n $new ]] || fail "--new must name the new experts, as 'cs'."
read -ra old_names <<<"$old"
read -ra new_names <<<"$new"
read -ra way_names <<<"$ways"
read -ra decode_words <<<"$decode_args"
if [[ $hear == true ]]; then decode_words+=(--hear); fi
read -ra seed_numbers <<<"$seeds"
for way in "${way_names[@]}"; do
  [[ " scratch warm least mixture full " == *" $way "* ]] ||
    fail "--ways must be of scratch, warm, least, mixture and full; got '$way'."
done
decode_config=$(conf_file decode "$decode_config")
base_decode_config=$(conf_file decode "$base_decode_config")
mixture_config=$(conf_file train "$mixture_config")
inference=inference_$(basename "$decode_config" .yaml)
results=${results:-$expdir/results}
read -ra tests <<<"${new_names[*]/%/_test} ${old_names[*]/%/_test} $test_sets"
read_groups "${old_names[*]} ${new_names[*]}" "${tests[*]}" "$groups"
sets_of_all() { # NAME...: the test sets of each expert; of "" those of no expert
  local name
  for name; do sets_of "$name" "${tests[@]}"; done
}
mapfile -t old_sets < <(sets_of_all "${old_names[@]}")
additions=() # SEED/WAY/NAME: all of one seed before those of the next
for seed in "${seed_numbers[@]}"; do
  for way in "${way_names[@]}"; do
    for name in "${new_names[@]}"; do additions+=("seed$seed/$way/$name"); done
  done
done

systems=(zero_shot joint joint_lora "${old_names[@]/#/full_}" "${old_names[@]/#/lora_}"
  "${additions[@]}")

run_merge_stages() { # FIRST LAST EXPERTS [OPTION VALUE]...: run stages of merge.sh
  "$here/merge.sh" --stage "$1" --stop_stage "$2" --experts "$3" --merge_configs "" \
    --test_sets "${tests[*]}" --full_config "$full_config" --lora_config "$lora_config" \
    --train_nj "$train_nj" \
    --dumpdir "$dumpdir" --expdir "$expdir" --train_args "$train_args" \
    "${passed_on[@]}" "${@:4}"
}

# Stage 1
train_old() { run_merge_stages 1 7 "$old" --joint "full lora"; }

# Stage 2
prepare_new() { run_merge_stages 1 6 "$new" --kinds lora --joint ""; }

# Stage 3
measure_similarity() {
  local out=$expdir/similarity args
  local codes=("${old_names[@]%%_*}") sets=("${new_names[@]/%/_train}")
  sets=("${sets[@]/#/$dumpdir/}")
  words="${new_names[*]} ${old_names[*]} $similarity_args $(fingerprint "${sets[@]/%//.done}")"
  must_make "$out/.done" "" "hearing what is similar" "$similarity_args" \
    "${sets[@]/%//.done}" || return 0
  read -ra args <<<"$similarity_args"
  espnet-merge similarity --model "$expdir/base" --data "${sets[@]}" \
    --languages "$(IFS=,; echo "${codes[*]}")" --output "$out" --overwrite "${args[@]}"
  mark_done "$out/.done" "$entry"
}

# Stage 4
train_new() { run_parallel "$train_nj" train_addition "${additions[@]}"; }

train_addition() { # SEED/WAY/NAME: train it in its own experiment directory
  local place=$expdir/$1 way seed name=${1##*/} from=../../../base kind=lora start=
  way=$(way_of "$1")
  seed=${1%%/*}
  local config=$lora_config
  case $way in
    warm) start="--init_adapter auto" ;;
    least) start="--init_adapter least" ;;
    mixture)
      config=$mixture_config
      start="--mixture_conf nearest=$nearest"
      ;;
    full)
      kind=full
      from=../../../joint/model
      ;;
  esac
  if [[ $way == warm || $way == least || $way == mixture ]]; then
    start+=" $(similarity_options "$expdir/similarity/similarity.json" "${old_names[@]}")"
  fi
  mkdir -p "$place"
  ln -sfn "$from" "$place/base"
  ln -sfn ../../../stats "$place/stats"
  run_merge_stages 7 7 "$name" --kinds "$kind" --joint "" --lora_config "$config" \
    --expdir "$place" --train_args "$train_args --seed ${seed#seed} $start"
}

way_of() { # SEED/WAY/NAME
  local rest=${1#*/}
  echo "${rest%%/*}"
}

# Stage 5
decode_all() {
  local system
  for system in "${systems[@]}"; do decode_model "$system"; done
  run_plan decode="$decode_nj"
}

test_sets_of() { # SYSTEM or SEED/WAY/NAME: the test sets to decode with it
  case $1 in
    zero_shot | joint | joint_lora) printf '%s\n' "${tests[@]}" ;;
    full_* | lora_*) sets_of_all "${1#*_}" ;;
    # Full fine-tuning may change the results on all sets.
    */full/*) sets_of_all "${1##*/}" "${old_names[@]}" "" ;;
    *) sets_of_all "${1##*/}" ;;
  esac
}

decode_config_of() { # SYSTEM or SEED/WAY/NAME
  if [[ $1 == zero_shot ]]; then echo "$base_decode_config"; else echo "$decode_config"; fi
}

texts_of() { # SYSTEM or SEED/WAY/NAME: where its hypotheses lie
  echo "$expdir/$1/inference_$(basename "$(decode_config_of "$1")" .yaml)"
}

decode_model() { # SYSTEM or SEED/WAY/NAME
  local place=$expdir/$1 name=${1##*/} config out model sets inputs
  local adapter=(--model "$expdir/base" --adapter)
  mapfile -t sets < <(test_sets_of "$1")
  case $1 in
    zero_shot) model=(--model "$expdir/base") ;;
    joint | full_*) model=(--model "$place/model") ;;
    joint_lora | lora_*) model=("${adapter[@]}" "$place/model") ;;
    */full/*) model=(--model "$place/full_$name/model") ;;
    *) model=("${adapter[@]}" "$place/lora_$name/model") ;;
  esac
  config=$(decode_config_of "$1")
  out=$(texts_of "$1")
  sets=("${sets[@]/#/$dumpdir/}")
  inputs=("${model[-1]%/model}/.done" "${sets[@]/%//.done}")
  if [[ $1 == zero_shot ]]; then inputs[0]=$place/.done; fi
  words="$(fingerprint "$config") ${decode_words[*]} $(fingerprint "${inputs[@]}")"
  is_todo "$out/.done" "$out/decode.log $out/decode.*.log" "decoding by $1" "$config" \
    "${decode_words[*]}" "${inputs[@]}" || return 0
  plan_decoding "decoding by $1" "$out/.done" "" "$out" "${model[@]}" --config "$config" \
    --overwrite "${decode_words[@]}" --data "${sets[@]}" --output "${sets[@]/#$dumpdir/$out}"
}

# Stage 6
score_all() {
  local name system sets table
  local -A texts=() # set -> its hypotheses, one a line
  for system in "${systems[@]}"; do
    mapfile -t sets < <(test_sets_of "$system")
    for name in "${sets[@]}"; do texts[$name]+=$(texts_of "$system")/$name$'\n'; done
  done
  for name in "${tests[@]}"; do
    table=$expdir/scoring.$name.log
    mapfile -t sets <<<"${texts[$name]%$'\n'}"
    espnet-merge score --ref "$dumpdir/$name" --hyp "${sets[@]}" \
      --normalizer "$normalizer" --keep-current >"$table"
    log "scoring $name: done; counts of each system are in $table"
  done
}

# Stage 7
write_tables() {
  local name seed files
  mkdir -p "$results"
  for seed in "${seed_numbers[@]}"; do save_seed "$seed"; done
  # Every seed that is kept, of whichever day and machine.
  files=("$results"/seed_*.json)
  espnet-merge seeds --load "${files[@]}" --output "$expdir/EXPAND.md"
  if [[ " ${way_names[*]} " != *" scratch "* || ${#way_names[@]} == 1 ]]; then return; fi
  for name in "${new_names[@]}"; do
    espnet-merge seeds --load "${files[@]}" --sets "${name}_test" \
      --mean "$name=${name}_test" --baseline "+ $name, scratch" \
      --output "$expdir/EXPAND.$name.md" >/dev/null
  done
}

# save_seed SEED: keep the errors of what it has added in a small file, beside those of the
# old languages, which were trained once.
save_seed() {
  local name way sets own=() args
  for name in "${old_names[@]}"; do
    mapfile -t sets < <(sets_of_all "$name")
    own+=("${sets[@]/#/$expdir/lora_$name/$inference/}")
  done
  args=(
    --row zero_shot "${tests[@]/#/$(texts_of zero_shot)/}"
    --row "joint, full" "${tests[@]/#/$expdir/joint/$inference/}"
    --row "joint, LoRA" "${tests[@]/#/$expdir/joint_lora/$inference/}"
    --row "each its own, full" "${own[@]/\/lora_/\/full_}"
    --row "each its own, LoRA" "${own[@]}"
  )
  for name in "${new_names[@]}"; do
    for way in "${way_names[@]}"; do
      mapfile -t sets < <(test_sets_of "x/$way/$name")
      args+=(--row "+ $name, $way" "${sets[@]/#/$expdir/seed$1/$way/$name/$inference/}")
      if [[ $way != full ]]; then args+=("${own[@]}"); fi
    done
  done
  espnet-merge seeds --base zero_shot "${args[@]}" --sets "${tests[@]}" \
    --mean "old=$(join_by_comma "${old_sets[@]}")" --configuration "$(configuration)" \
    --save "$results/seed_$1.json"
}

# configuration: how languages are added with every seed, in one line.
configuration() {
  local told=() i files
  files=("$(conf_file train "$full_config")" "$(conf_file train "$lora_config")" "$mixture_config")
  for ((i = 0; i < ${#passed_on[@]}; i += 2)); do
    # What a machine has changes no result.
    [[ ${passed_on[i]} =~ ^--(nj|ngpu|num_nodes|python)$ ]] || told+=("${passed_on[@]:i:2}")
  done
  echo "old $old; new $new; nearest $nearest of $similarity_args; ${told[*]}; train" \
    "$train_args $(fingerprint "${files[@]}"); decode $decode_args" | xargs
}

run_stage 1 "${old_names[*]} -> $expdir/{joint joint_lora full_* lora_*}" train_old
run_stage 2 "data/{${new_names[*]}}_* -> $dumpdir/*" prepare_new
run_stage 3 "$dumpdir/*_train, $expdir/base -> $expdir/similarity" measure_similarity
run_stage 4 "$dumpdir/*, $expdir/* -> $expdir/seed*/*/*/*/model" train_new
run_stage 5 "$expdir/*/model, $expdir/seed*/*/*/*/model -> $inference/*/text" decode_all
run_stage 6 "$inference/*/text -> score.json" score_all
run_stage 7 "score.json -> $expdir/EXPAND*.md" write_tables
