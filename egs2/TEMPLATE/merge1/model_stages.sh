# shellcheck shell=bash disable=SC2154
# Source me. Stages 4 and 6 to 8 of merge.sh: the base, trained systems, and merges. Expects
# the options of merge.sh and the variables that it derives from them.

# Stage 4
fetch_models() {
  fetch_base
  take_experts
}

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
  JOB_INPUTS=$words run_job "$train_cmd" "$out/stats.log" \
    "$python" -m espnet_merge.bin.whisper_train --collect_stats true \
    --config "$full_config" --whisper "$expdir/base" --output_dir "$out" "${args[@]}" \
    --train_shape_file "$dumpdir/$(train_set "$1")/text" \
    --valid_shape_file "$dumpdir/$1_valid/text" >"$out/launch.log" 2>&1 ||
    fail "statistics of $1: $(last_error "$out/launch.log" "$out/stats.log")"
  mark_done "$out/.done" "$words"
}

train_set() { # NAME: the training set of an expert, or of several experts together
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
train_systems() {
  report_taken
  local dirs=("${trained[@]/#/$expdir/}" "${later[@]/#/$expdir/}")
  follow "${dirs[@]/%//train.log}" "${dirs[@]/%//launch.log}"
  run_parallel "$train_nj" train_system "${trained[@]}"
  run_parallel "$train_nj" train_system "${later[@]}"
  if has_route routed_heard; then train_router; fi
  unfollow
}

is_lora() { # SYSTEM
  [[ $1 == lora_* || $1 == joint_lora || $1 == mixture ||
    -f $expdir/$1/model/adapter_config.json ]]
}

train_system() { # SYSTEM
  case $1 in
    joint) train_model joint joint "$full_config" ;;
    joint_lora) train_model joint_lora joint "$lora_config" ;;
    two_stage)
      train_model recognition recognition "$full_config"
      train_model two_stage translation "$full_config" recognition
      ;;
    sequential) train_sequential ;;
    mixture) train_model mixture joint "$mixture_config" ;;
    lora_*) train_model "$1" "${1#*_}" "$lora_config" ;;
    full_*) train_model "$1" "${1#*_}" "$full_config" ;;
    *) train_model "$1" joint "${soup_file[$1]}" base objectives_train ;;
  esac
}

# The first model is the expert itself; a further one starts from the one before.
train_sequential() {
  local name before=full_${expert_names[0]} out
  for name in "${expert_names[@]:1}"; do
    out=sequential_$name
    if [[ $name == "${expert_names[-1]}" ]]; then out=sequential; fi
    train_model "$out" "$name" "$full_config" "$before"
    before=$out
  done
}

train_model() { # SYSTEM DATA CONFIG [SYSTEM-TO-START-FROM] [COMMAND]
  local out=$expdir/$1 name=$2 config=$3 start=$expdir/base command=${5:-whisper_train}
  local options=$train_args words args more launcher=()
  if [[ $command == objectives_train ]]; then
    options+=${objectives_args:+ $objectives_args}
  elif [[ -n ${mixed[$name]:-} ]]; then
    options+=${joint_args:+ $joint_args}
  fi
  if [[ $1 == mixture ]]; then options+=" $(mixture_options)"; fi
  words="$(basename "$config") $(fingerprint "$config") $options"
  words+=" $(sets_fingerprint "$name")"
  if [[ ${4:-base} != base ]]; then
    start=$expdir/$4/model
    words+=" $(fingerprint "$expdir/$4/.done")"
  elif [[ $1 == mixture ]]; then
    words+=" $(fingerprint "${lora_experts[@]/%//.done}")"
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
  if ((ngpu && num_nodes == 1)); then launcher=(../../../local/on_gpus.sh "$ngpu"); fi
  # The processes of a start of a job meet at a file of their own.
  JOB_INPUTS=$words "$python" -m espnet2.bin.launch --cmd "$cuda_cmd --name $1" \
    --log "$out/train.log" --ngpu "$ngpu" --num_nodes "$num_nodes" \
    --init_file_prefix "$out/.dist_init_\${SLURM_JOB_ID:-0}.\${SLURM_RESTART_COUNT:-0}_" \
    --multiprocessing_distributed true -- "${launcher[@]}" "$python" -m "espnet_merge.bin.$command" \
    --config "$config" --resume true --whisper "$start" --output_dir "$out" "${args[@]}" \
    --train_shape_file "$expdir/stats/$name/train/speech_shape" \
    --valid_shape_file "$expdir/stats/$name/valid/speech_shape" "${more[@]}" \
    >"$out/launch.log" 2>&1 ||
    fail "training $1: $(last_error "$out/launch.log" "$out/train.log"); see" \
      "$out/train.log."
  espnet-merge export --exp "$out" --output "$out/model" --overwrite \
    >>"$out/launch.log" 2>&1 ||
    fail "exporting $1: $(last_error "$out/launch.log")"
  mark_done "$out/.done" "$words"
  log "trained $1"
}

# Stage 8
merge_experts() {
  local name kind models needed=() # statistics, each once
  for name in "${merged[@]}"; do
    kind=$(statistics_kind "${config_of[$name]:-}")
    if [[ -z $kind ]]; then continue; fi
    mapfile -t models < <(expert_dirs "${kind_of[$name]}")
    needed+=("${models[@]/#/$kind:}")
  done
  mapfile -t needed < <(printf '%s\n' "${needed[@]}" | sort -u)
  if [[ -n ${needed[*]} ]]; then run_parallel "$nj" collect_statistics "${needed[@]}"; fi
  run_parallel "$nj" make_merge "${merged[@]}"
}

make_merge() { # NAME
  local out=$expdir/$1 file=${config_of[$1]:-} models kind words args=()
  if [[ -n ${space_of[$1]:-} ]]; then
    search_coefficients "$1"
    return
  fi
  mapfile -t models < <(expert_dirs "${kind_of[$1]}")
  words="$(fingerprint "$file") $(fingerprint "${models[@]/%//.done}")"
  kind=$(statistics_kind "$file")
  if [[ -n $kind ]]; then
    words+=" $statistics_args"
    args=(--set "statistics=[$(IFS=,; echo "${models[*]/%//$kind}")]")
  fi
  words+=${merge_args:+ $merge_args}
  if is_done "$out/.done" "$words"; then return; fi
  log "merging ${models[*]##*/} by $1"
  mkdir -p "$out"
  JOB_INPUTS=$words run_job "$train_cmd" "$out/merge.log" espnet-merge merge \
    --config "$file" --base "$expdir/base" --experts "${models[@]/%//model}" "${args[@]}" \
    --output "$out/model" --overwrite "${merge_words[@]}" ||
    fail "merging by $1: $(last_error "$out/merge.log")"
  mark_done "$out/.done" "$words"
}

search_coefficients() { # NAME: merge with coefficients that do best on development sets
  local out=$expdir/$1 mode=${decode_file[${modes[0]}]} models valid words args=()
  mapfile -t models < <(expert_dirs "${kind_of[$1]}")
  valid=("${valid_sets[@]/#/$dumpdir/}")
  words="$(fingerprint "${space_of[$1]}" "$mode") $(fingerprint "${models[@]/%//.done}")"
  words+=" $(fingerprint "${valid[@]/%//.done}") $normalizer${merge_args:+ $merge_args}"
  if is_done "$out/.done" "$words $search_args"; then return; fi
  # More trials of the same search are added to those that are there.
  if ! is_done "$out/.settings" "$words"; then args=(--overwrite); fi
  mkdir -p "$out"
  mark_done "$out/.settings" "$words"
  log "searching coefficients of ${1%_searched} on ${valid[*]##*/}"
  JOB_INPUTS=$words run_job "$train_cmd" "$out/search.log" \
    espnet-merge search --space "${space_of[$1]}" --base "$expdir/base" \
    --experts "${models[@]/%//model}" --data "${valid[@]}" \
    --decode-config "$mode" --normalizer "$normalizer" --output "$out" "${args[@]}" \
    "${merge_words[@]}" "${search_words[@]}" ||
    fail "searching for $1: $(last_error "$out/search.log")"
  mark_done "$out/.done" "$words $search_args"
}

needs_statistics() { # whether any merge does
  local file
  for file in "${merge_file[@]}"; do
    if [[ -n $(statistics_kind "$file") ]]; then return; fi
  done
  return 1
}

statistics_kind() { # FILE: the statistics that its merge method needs, if any
  if [[ -z $1 ]]; then return; fi
  case $(sed -n 's/^method: *//p' "$1") in
    fisher) echo fisher ;;
    regmean) echo gram ;;
  esac
}

collect_statistics() { # KIND:DIRECTORY-OF-AN-EXPERT
  local kind=${1%%:*} out=${1#*:} system name words model
  system=${out##*/}
  name=${system#*_}
  model=(--model "$out/model")
  if is_lora "$system"; then
    model=(--model "$expdir/base" --adapter "$out/model")
  fi
  words="$(fingerprint "$out/.done") $(sets_fingerprint "$name") $statistics_args"
  if is_done "$out/.$kind.done" "$words"; then return; fi
  log "collecting $kind statistics of $system"
  JOB_INPUTS=$words run_job "$train_cmd" "$out/$kind.log" \
    espnet-merge statistics --kind "$kind" "${model[@]}" --data "$dumpdir/$(train_set "$name")" \
    --output "$out/$kind" --overwrite "${statistics_words[@]}" ||
    fail "statistics of $system: $(last_error "$out/$kind.log")"
  mark_done "$out/.$kind.done" "$words"
}
