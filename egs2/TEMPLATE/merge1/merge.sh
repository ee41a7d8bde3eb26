#!/usr/bin/env bash
# Train Whisper experts, merge them, and compare all systems on all test sets.
#
# A recipe calls this script with its names; see egs2/prompts/merge1/run.sh. An expert
# NAME is trained on data/NAME_train and data/NAME_valid. Every stage can be run again:
# what is finished is not done again, what was killed is taken up.
#
# Options, with their defaults:
set -euo pipefail

# options
stage=1           # first stage to run: 1 data 2 speed 3 format 4 filter 5 base 6 stats
stop_stage=11     # last stage to run: 7 train 8 merge 9 decode 10 score 11 report
experts=          # names of the experts, as "es it ru"
kinds="full lora" # how each expert is trained: full fine-tuning, LoRA, or both
joint=full        # kinds of a model trained on the data of all experts, or "" for none
two_stage=false   # train one on what experts transcribe, then on what they translate
objectives=       # objective soups on the data of all experts: names in conf/train, or files
test_sets=        # names of the test sets under data/, as "es_test en_test"
data_opts=        # options passed on to local/data.sh
speed_factors=    # copies of the training data at other speeds, as "0.9 1.1"
min_seconds=0.1   # drop shorter utterances
max_seconds=30    # drop longer utterances; Whisper hears 30 s
max_train_seconds=30 # the same, for training and validation sets alone
max_train_utterances= # keep so many of each training set, a choice by their names
base=base         # what experts start from: a size, a Hugging Face directory, a .pt file
full_config=conf/train/full.yaml # training configuration of "full" and joint
lora_config=conf/train/lora.yaml # training configuration of "lora"
train_args=       # further options of whisper_train, as "--max_epoch 2"
joint_args=       # the same for joint and two stages alone, as "--accum_grad 6"
take_added=true   # take experts of add_language.sh as they are, however trained
seeds=            # do all once a seed, as "0 1 2", in EXPDIR/seed_0 …; table in EXPDIR/SEEDS.md
merge_kind=full   # which kind of experts to merge
merge_configs="soup task_arithmetic ties tsv_m lors" # names in conf/merge, or files
statistics_args="--utterances 100 --pad-to 0 --tail 4" # how fisher and regmean see data
decode_configs="tail" # names in conf/decode, or files
base_decode_config=padded # how the base is decoded: as it was trained; "" for like the others
normalizer=basic  # how text is normalised before the main scores; raw ones are beside
decode_args=      # further options of "espnet-merge decode"
nj=2              # data sets prepared at the same time
train_nj=1        # experts trained at the same time
decode_nj=2       # systems decoded at the same time
inference_nj=1    # jobs that share the decoding of a system
ngpu=0            # GPUs for each training job
num_nodes=1       # machines for each training job
python=python3    # the interpreter
dumpdir=dump/raw  # where formatted data goes
expdir=exp        # where models, hypotheses and results go
# end of options

given=("$@")
. ../../../local/parse_options.sh
. ../../../local/stage.sh
. ../../../local/decode.sh
. ./path.sh
. ./cmd.sh

espnet=$(../../../tools/espnet_root.sh)/egs2/TEMPLATE/asr1
for name in utils scripts pyscripts; do
  # Several runs may start at once: a link that is right is left alone.
  [[ $(readlink "$name") == "$espnet/$name" ]] || ln -sfn "$espnet/$name" "$name"
done

check_stages 11
[[ -n $experts ]] || fail "--experts must name at least one expert, as 'es it ru'."
[[ -n $test_sets ]] || fail "--test_sets must name at least one set, as 'es_test'."
read -ra expert_names <<<"$experts"
read -ra kind_names <<<"$kinds"
read -ra joint_kinds <<<"$joint"
read -ra tests <<<"$test_sets"
read -ra factors <<<"$speed_factors"
read -ra decode_words <<<"$decode_args"
read -ra statistics_words <<<"$statistics_args"
full_config=$(conf_file train "$full_config")
lora_config=$(conf_file train "$lora_config")
declare -A merge_file=() decode_file=() soup_file=()
soups=()
for name in $objectives; do
  file=$(conf_file train "$name")
  name=$(basename "$file" .yaml)
  soups+=("${name#objectives_}")
  soup_file[${soups[-1]}]=$file
done
modes=()
for name in $merge_configs; do
  file=$(conf_file merge "$name")
  merge_file[$(basename "$file" .yaml)]=$file
done
for name in $decode_configs; do
  file=$(conf_file decode "$name")
  modes+=("$(basename "$file" .yaml)")
  decode_file[${modes[-1]}]=$file
done
base_modes=("${modes[@]}")
if [[ -n $base_decode_config ]]; then
  file=$(conf_file decode "$base_decode_config")
  base_modes=("$(basename "$file" .yaml)")
  decode_file[${base_modes[0]}]=$file
fi

train_suffix=_train
if ((${#factors[@]})); then train_suffix=_train_sp; fi
train_sets=("${expert_names[@]/%/$train_suffix}")
valid_sets=("${expert_names[@]/%/_valid}")
all_sets=("${train_sets[@]}" "${valid_sets[@]}" "${tests[@]}")

declare -A mixed=() # data of several experts together: name -> experts
if [[ -n $joint$objectives ]]; then mixed[joint]=$experts; fi
if [[ $two_stage == true ]]; then
  for name in "${expert_names[@]}"; do
    # A set of translations is named by both languages, as es-en.
    if [[ ${name%%_*} == *-* ]]; then task=translation; else task=recognition; fi
    mixed[$task]+="$name "
  done
  [[ -n ${mixed[translation]:-} && -n ${mixed[recognition]:-} ]] ||
    fail "--two_stage needs experts of both tasks, as 'es es-en'; got '$experts'."
fi

trained=() # systems that are trained, the longest job first
for kind in "${joint_kinds[@]}"; do
  [[ $kind == full || $kind == lora ]] ||
    fail "--joint must be of full and lora, or empty; got '$kind'."
  trained+=("$(if [[ $kind == full ]]; then echo joint; else echo joint_lora; fi)")
done
if [[ $two_stage == true ]]; then trained+=(two_stage); fi
trained+=("${soups[@]}")
together=("${trained[@]}") # systems that learn of several experts' data
if [[ $two_stage == true ]]; then together+=(recognition); fi # the first stage's
for kind in "${kind_names[@]}"; do
  [[ $kind == full || $kind == lora ]] ||
    fail "--kinds must be of full and lora; got '$kind'."
  trained+=("${expert_names[@]/#/${kind}_}")
done
[[ -z $merge_configs || " $kinds " == *" $merge_kind "* ]] ||
  fail "--merge_kind must be one of --kinds, which are '$kinds'; got '$merge_kind'."
systems=(zero_shot "${trained[@]}" "${!merge_file[@]}")
if [[ $two_stage == true ]]; then systems+=(recognition); fi
seen=() # test sets of what experts are trained on
unseen=()
for set in "${tests[@]}"; do
  if [[ " ${expert_names[*]/%/_test} " == *" $set "* ]]; then
    seen+=("$set")
  else
    unseen+=("$set")
  fi
done
datasets=("${expert_names[@]}" "${!mixed[@]}") # what a model is trained on

# Jobs inherit the lock: it is free when the last one is done, also those of a run that
# was killed. Two runs in one directory would write the same files.
mkdir -p "$expdir" "$dumpdir" ||
  fail "--expdir '$expdir' and --dumpdir '$dumpdir' must be places to write to."
exec 9>"$expdir/.lock"
if ! flock --nonblock 9; then
  log "jobs of another run are at work in $expdir: waiting for them"
  flock 9
fi

fingerprint() { cat "$@" | cksum; }

# Stage 1
prepare_data() {
  local words
  read -ra words <<<"$data_opts"
  local/data.sh "${words[@]}"
  local set
  for set in "${expert_names[@]/%/_train}" "${valid_sets[@]}" "${tests[@]}"; do
    [[ -d data/$set ]] || fail "local/data.sh must make data/$set; it did not."
    utils/validate_data_dir.sh --no-feats --non-print "data/$set" \
      >"data/$set.log" 2>&1 ||
      fail "data/$set must be a Kaldi data directory; see data/$set.log."
    log "data/$set: $(wc -l <"data/$set/text") utterances"
  done
}

# Stage 2
perturb_speed() {
  if ((${#factors[@]} == 0)); then
    log "no --speed_factors: nothing to do"
    return
  fi
  local name
  for name in "${expert_names[@]}"; do
    local out=data/${name}_train_sp words
    words="$speed_factors $(fingerprint "data/${name}_train/"{text,wav.scp})"
    is_done "$out/.done" "$words" && continue
    rm -rf "$out"
    espnet-merge perturb --data "data/${name}_train" --output "$out" \
      --factors 1.0 "${factors[@]}"
    mark_done "$out/.done" "$words"
  done
}

# Stage 3
format_audio() { run_parallel "$nj" format_set "${all_sets[@]}"; }

format_set() { # SET
  local in=data/$1 out=$dumpdir/org/$1 file words
  words=$(fingerprint "$in"/{text,wav.scp,utt2lang,utt2task})
  if is_done "$out/.done" "$words"; then return; fi
  rm -rf "$out"
  mkdir -p "$out"
  for file in text utt2spk spk2utt utt2lang utt2task; do cp "$in/$file" "$out/"; done
  scripts/audio/format_wav_scp.sh --nj 1 --cmd "$train_cmd" --fs 16k \
    --audio-format flac --out-filename wav.scp "$in/wav.scp" "$out" \
    "$out/logs" "$out/data" >"$out/format.log" 2>&1 ||
    fail "$in has a recording that cannot be read: $(last_error "$out"/logs/*.log);" \
      "repair or remove it, then run again."
  mark_done "$out/.done" "$words"
}

# Stage 4
filter_utterances() {
  run_parallel "$nj" filter_set "${all_sets[@]}"
  local name members
  for name in "${!mixed[@]}"; do
    read -ra members <<<"${mixed[$name]}"
    combine_sets "$dumpdir/${name}_train" "${members[@]/%/$train_suffix}"
    combine_sets "$dumpdir/${name}_valid" "${members[@]/%/_valid}"
  done
}

filter_set() { # SET
  local seconds=$max_seconds few=() words
  if [[ $1 != *_test ]]; then seconds=$max_train_seconds; fi
  if [[ -n $max_train_utterances && " ${train_sets[*]} " == *" $1 "* ]]; then
    few=(--max-utterances "$max_train_utterances")
  fi
  words="$min_seconds $seconds ${few[*]+${few[*]} }$(fingerprint "$dumpdir/org/$1/.done")"
  if is_done "$dumpdir/$1/.done" "$words"; then return; fi
  rm -rf "${dumpdir:?}/$1"
  espnet-merge filter --data "$dumpdir/org/$1" --output "$dumpdir/$1" \
    --min-seconds "$min_seconds" --max-seconds "$seconds" "${few[@]}" >&2
  mark_done "$dumpdir/$1/.done" "$words"
}

combine_sets() { # OUTPUT SET...
  local out=$1 words
  shift
  words=$(cd "$dumpdir" && fingerprint "${@/%//.done}")
  if is_done "$out/.done" "$words"; then return; fi
  rm -rf "$out"
  utils/combine_data.sh --extra-files "utt2task utt2num_samples" \
    "$out" "${@/#/$dumpdir/}" >"$out.log" 2>&1 ||
    fail "combining into $out failed; see $out.log."
  mark_done "$out/.done" "$words"
}

# Stage 5
fetch_base() {
  local mark=$expdir/zero_shot/.done
  if [[ -f $mark ]] && ! is_done "$mark" "$base"; then
    fail "$expdir/base must be made of '$base'; it is of '$(<"$mark")': choose another" \
      "--expdir, or move it away."
  fi
  mkdir -p "$expdir/zero_shot"
  mark_done "$mark" "$base"
  espnet-merge fetch "$base" --output "$expdir/base" >&2
  ln -sfn ../base "$expdir/zero_shot/model"
}

# Stage 6
collect_stats() { run_parallel "$nj" collect_stats_of "${datasets[@]}"; }

collect_stats_of() { # NAME
  local out=$expdir/stats/$1 words args
  words="$full_config $(sets_fingerprint "$1")"
  if is_done "$out/.done" "$words"; then return; fi
  rm -rf "$out"
  mkdir -p "$out"
  read -ra args <<<"$(data_args "$1")"
  $train_cmd "$out/stats.log" $python -m espnet_merge.bin.whisper_train \
    --collect_stats true --config "$full_config" --whisper "$expdir/base" \
    --output_dir "$out" "${args[@]}" \
    --train_shape_file "$dumpdir/$(train_set "$1")/text" \
    --valid_shape_file "$dumpdir/$1_valid/text" >"$out/launch.log" 2>&1 ||
    fail "statistics of $1: $(last_error "$out/launch.log" "$out/stats.log")"
  mark_done "$out/.done" "$words"
}

train_set() { # NAME: the training set of an expert, or of several together
  if [[ -n ${mixed[$1]:-} ]]; then echo "$1_train"; else echo "$1$train_suffix"; fi
}

sets_fingerprint() { # NAME
  fingerprint "$dumpdir/$(train_set "$1")/.done" "$dumpdir/$1_valid/.done"
}

data_args() { # NAME: ESPnet's options that name the files of its data
  local file train valid
  train=$dumpdir/$(train_set "$1") valid=$dumpdir/$1_valid
  for file in wav.scp,speech,sound text,text,text utt2lang,lang,text utt2task,task,text; do
    printf -- '--train_data_path_and_name_and_type %s ' "$train/$file"
    printf -- '--valid_data_path_and_name_and_type %s ' "$valid/$file"
  done
}

# Stage 7
train_experts() {
  local logs=("${trained[@]/#/$expdir/}")
  follow "${logs[@]/%//train.log}"
  run_parallel "$train_nj" train_system "${trained[@]}"
  unfollow
}

is_lora() { [[ $1 == lora_* || $1 == joint_lora ]]; } # SYSTEM

train_system() { # SYSTEM
  case $1 in
    joint) train_model joint joint "$full_config" ;;
    joint_lora) train_model joint_lora joint "$lora_config" ;;
    two_stage)
      train_model recognition recognition "$full_config"
      train_model two_stage translation "$full_config" recognition
      ;;
    lora_*) train_model "$1" "${1#*_}" "$lora_config" ;;
    full_*) train_model "$1" "${1#*_}" "$full_config" ;;
    *) train_model "$1" joint "${soup_file[$1]}" base objectives_train ;;
  esac
}

train_model() { # SYSTEM DATA CONFIG [SYSTEM-TO-START-FROM] [COMMAND]
  local out=$expdir/$1 name=$2 config=$3 start=$expdir/base command=${5:-whisper_train}
  local options=$train_args words args more
  if [[ -n ${mixed[$name]:-} && $command == whisper_train ]]; then
    options+=${joint_args:+ $joint_args}
  fi
  words="$(basename "$config") $(fingerprint "$config") $options"
  words+=" $(sets_fingerprint "$name")"
  if [[ ${4:-base} != base ]]; then
    start=$expdir/$4/model
    words+=" $(fingerprint "$expdir/$4/.done")"
  fi
  if is_done "$out/.done" "$words"; then return; fi
  if [[ $take_added == true && -f $out/.added ]]; then
    log "$1 was added by add_language.sh: it is taken as it is"
    return
  fi
  if [[ -f $out/.settings ]] && ! is_done "$out/.settings" "$words"; then
    fail "$out was trained with other settings or data: move it away, or choose another" \
      "--expdir."
  fi
  mkdir -p "$out"
  mark_done "$out/.settings" "$words"
  read -ra args <<<"$(data_args "$name")"
  read -ra more <<<"$options"
  $python -m espnet2.bin.launch --cmd "$cuda_cmd --name $1" --log "$out/train.log" \
    --ngpu "$ngpu" --num_nodes "$num_nodes" --init_file_prefix "$out/.dist_init_" \
    --multiprocessing_distributed true -- \
    $python -m "espnet_merge.bin.$command" --config "$config" --resume true \
    --whisper "$start" --output_dir "$out" "${args[@]}" \
    --train_shape_file "$expdir/stats/$name/train/speech_shape" \
    --valid_shape_file "$expdir/stats/$name/valid/speech_shape" "${more[@]}" \
    >"$out/launch.log" 2>&1 ||
    fail "training $1: $(last_error "$out/train.log"); see $out/train.log."
  espnet-merge export --exp "$out" --output "$out/model" --overwrite \
    >>"$out/launch.log" 2>&1 ||
    fail "exporting $1: $(last_error "$out/launch.log")"
  mark_done "$out/.done" "$words"
  log "trained $1"
}

# Stage 8
merge_experts() {
  local name kind words args models=("${expert_names[@]/#/$expdir/${merge_kind}_}")
  for name in "${!merge_file[@]}"; do
    words="$(fingerprint "${merge_file[$name]}") $(fingerprint "${models[@]/%//.done}")"
    kind=$(statistics_kind "${merge_file[$name]}")
    if [[ -n $kind ]]; then words+=" $statistics_args"; fi
    if is_done "$expdir/$name/.done" "$words"; then continue; fi
    args=()
    if [[ -n $kind ]]; then
      run_parallel "$nj" collect_statistics "${expert_names[@]/#/$kind/}"
      args=(--set "statistics=[$(IFS=,; echo "${models[*]/%//$kind}")]")
    fi
    log "merging ${models[*]##*/} by $name"
    mkdir -p "$expdir/$name"
    $train_cmd "$expdir/$name/merge.log" espnet-merge merge --config "${merge_file[$name]}" \
      --base "$expdir/base" --experts "${models[@]/%//model}" "${args[@]}" \
      --output "$expdir/$name/model" --overwrite ||
      fail "merging by $name: $(last_error "$expdir/$name/merge.log")"
    mark_done "$expdir/$name/.done" "$words"
  done
}

statistics_kind() { # FILE: what its method weights experts by, if by statistics
  case $(sed -n 's/^method: *//p' "$1") in
    fisher) echo fisher ;;
    regmean) echo gram ;;
  esac
}

collect_statistics() { # KIND/NAME
  local kind=${1%/*} name=${1#*/} out words model
  out=$expdir/${merge_kind}_$name
  model=(--model "$out/model")
  if [[ $merge_kind == lora ]]; then
    model=(--model "$expdir/base" --adapter "$out/model")
  fi
  words="$(fingerprint "$out/.done") $(sets_fingerprint "$name") $statistics_args"
  if is_done "$out/.$kind.done" "$words"; then return; fi
  log "collecting $kind statistics of ${merge_kind}_$name"
  $train_cmd "$out/$kind.log" espnet-merge statistics --kind "$kind" "${model[@]}" \
    --data "$dumpdir/$(train_set "$name")" --output "$out/$kind" --overwrite \
    "${statistics_words[@]}" ||
    fail "statistics of ${merge_kind}_$name: $(last_error "$out/$kind.log")"
  mark_done "$out/.$kind.done" "$words"
}

# Stage 9
decode_systems() {
  run_parallel "$decode_nj" decode_system "${systems[@]}"
}

decode_system() { # SYSTEM
  local dir=$expdir/$1 mode out words model=(--model "$expdir/$1/model") ways
  if is_lora "$1"; then model=(--model "$expdir/base" --adapter "$dir/model"); fi
  read -ra ways <<<"$(modes_of "$1")"
  for mode in "${ways[@]}"; do
    out=$dir/inference_$mode
    words="$(fingerprint "${decode_file[$mode]}") $decode_args $(fingerprint "$dir/.done")"
    words+=" $(cd "$dumpdir" && fingerprint "${tests[@]/%//.done}")"
    if is_done "$out/.done" "$words"; then continue; fi
    decode_by_jobs "$inference_nj" "$out" "${model[@]}" --overwrite \
      --config "${decode_file[$mode]}" --data "${tests[@]/#/$dumpdir/}" \
      --output "${tests[@]/#/$out/}" "${decode_words[@]}"
    mark_done "$out/.done" "$words"
  done
  log "decoded by $1"
}

modes_of() { # SYSTEM
  if [[ $1 == zero_shot ]]; then echo "${base_modes[@]}"; else echo "${modes[@]}"; fi
}

# Stage 10
score_systems() { run_parallel "$nj" score_set "${tests[@]}"; }

score_set() { # SET: all systems in one go
  local mode system dir stale=()
  for system in "${systems[@]}"; do
    for mode in $(modes_of "$system"); do
      dir=$expdir/$system/inference_$mode/$1
      if [[ ! $dir/score.json -nt $dir/text.json ]]; then stale+=("$dir"); fi
    done
  done
  if ((${#stale[@]} == 0)); then return; fi
  espnet-merge score --ref "$dumpdir/$1" --hyp "${stale[@]}" --normalizer "$normalizer" >&2
}

# Stage 11
write_report() {
  local kind name args=(--merges "${!merge_file[@]}" --experts)
  for kind in "${kind_names[@]}"; do
    for name in "${expert_names[@]}"; do args+=("${name%%_*}=${kind}_$name"); done
  done
  if ((${#together[@]})); then args+=(--joint "${together[@]}"); fi
  if [[ -n $base_decode_config ]]; then args+=(--base-inference "${base_modes[0]}"); fi
  espnet-merge report --expdir "$expdir" --base zero_shot "${args[@]}" \
    --sets "${tests[@]}" --trained "${expert_names[@]}" --untrained "${unseen[@]%%_*}" \
    --inference "${modes[@]}"
}

# With seeds: a run of each, in directories of their own, and one table.
run_seeds() {
  local seed dir name first=${seeds%% *}
  for seed in $seeds; do
    dir=$expdir/seed_$seed
    mkdir -p "$dir"
    if [[ $seed != "$first" ]]; then # what no seed changes is made once
      for name in base zero_shot stats; do ln -sfn "../seed_$first/$name" "$dir/"; done
    fi
    "$0" "${given[@]}" --seeds "" --expdir "$dir" --train_args "$train_args --seed $seed"
  done
  if ((stop_stage == 11)); then write_seeds; fi
}

write_seeds() {
  local system seed ways args=()
  for system in "${systems[@]}"; do
    read -ra ways <<<"$(modes_of "$system")"
    args+=(--row "$system")
    for seed in $seeds; do
      args+=("${tests[@]/#/$expdir/seed_$seed/$system/inference_${ways[0]}/}")
      if [[ $system == zero_shot ]]; then break; fi
    done
  done
  if ((${#seen[@]})); then args+=(--mean "trained=$(IFS=,; echo "${seen[*]}")"); fi
  if ((${#unseen[@]})); then args+=(--mean "untrained=$(IFS=,; echo "${unseen[*]}")"); fi
  espnet-merge seeds "${args[@]}" --sets "${tests[@]}" --output "$expdir/SEEDS.md"
}

if [[ -n $seeds ]]; then
  run_seeds
  exit
fi

run_stage 1 "packages -> data/*" prepare_data
run_stage 2 "data/*_train -> data/*_train_sp (optional)" perturb_speed
run_stage 3 "data/* -> $dumpdir/org/*" format_audio
run_stage 4 "$dumpdir/org/* -> $dumpdir/*" filter_utterances
run_stage 5 "$base -> $expdir/base" fetch_base
run_stage 6 "$dumpdir/*_{train,valid} -> $expdir/stats/*" collect_stats
run_stage 7 "$dumpdir/*, $expdir/base -> $expdir/{${trained[*]}}/model" train_experts
run_stage 8 "$expdir/${merge_kind}_*/model -> $expdir/{${!merge_file[*]}}/model" merge_experts
run_stage 9 "$expdir/*/model -> $expdir/*/inference_*/*/text" decode_systems
run_stage 10 "$expdir/*/inference_*/*/text -> score.json" score_systems
run_stage 11 "score.json -> $expdir/{RESULTS.md,report.html,images}" write_report
