# shellcheck shell=bash disable=SC2154
# Source me. Stages 4 and 6 to 8 of merge.sh: the base, trained systems, and merges; and the
# run of what is planned. Expects the options of merge.sh and the variables of names.sh.

# Stage 4
fetch_models() {
  fetch_base
  take_experts
}

# All that is made depends on the base, so another one is refused.
fetch_base() {
  local mark=$expdir/zero_shot/.done files said=
  files=$(parts "$base=$(files_state "$base")")
  if [[ -f $mark ]]; then
    is_done "$mark" "$base" ||
      fail "$expdir/base must be made of '$base'; it is of '$(first_line "$mark")': choose" \
        "another --expdir, or move it away."
    said=$(tail -n +2 "$mark")
    [[ -z $said || $said == "$files" ]] ||
      fail "$expdir/base must be made of '$base' as it is; its files have changed since:" \
        "choose another --expdir, or move it away."
    # It was not finished.
    if [[ $listing == false && ! -d $expdir/base ]]; then rm "$mark"; fi
  fi
  words=$base
  must_make "$mark" "" "fetching $base" || return 0
  mkdir -p "$expdir/zero_shot"
  mark_done "$mark" "$base"$'\n'"$files"
  espnet-merge fetch "$base" --output "$expdir/base" >&2
  ln -sfn ../base "$expdir/zero_shot/model"
}

# Stage 6
collect_stats() {
  local name
  for name in "${datasets[@]}"; do collect_stats_of "$name"; done
}

collect_stats_of() { # NAME
  local out=$expdir/stats/$1 args sets
  mapfile -t sets < <(sets_of_data "$1")
  words="$full_config $(fingerprint "${sets[@]}")"
  is_todo "$out/.done" "$out/stats.log" "statistics of $1" "${sets[@]}" || return 0
  if [[ $listing == false ]]; then
    rm -rf "$out"
    mkdir -p "$out"
  fi
  read -ra args <<<"$(data_args "$1")"
  plan_job stats "statistics of $1" "$out/.done" "" "$train_cmd" "$out/stats.log" \
    "$python" -m espnet_merge.bin.whisper_train --collect_stats true \
    --config "$full_config" --whisper "$expdir/base" --output_dir "$out" "${args[@]}" \
    --train_shape_file "$dumpdir/$(train_set "$1")/text" \
    --valid_shape_file "$dumpdir/$1_valid/text"
}

train_set() { # NAME: the training set of an expert, or of several experts together
  if [[ -n ${mixed[$1]:-} ]]; then echo "$1_train"; else echo "$1$train_suffix"; fi
}

sets_of_data() { # NAME: marks of its training and validation sets, one a line
  printf '%s\n' "$dumpdir/$(train_set "$1")/.done" "$dumpdir/$1_valid/.done"
}

sets_fingerprint() { # NAME
  local sets
  mapfile -t sets < <(sets_of_data "$1")
  fingerprint "${sets[@]}"
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
  local system
  report_taken
  for system in "${trained[@]}" "${later[@]}"; do train_system "$system"; done
  if has_route routed_heard; then train_router; fi
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
  local options=$train_args args more launcher=() sets inputs=()
  local log=$out/launch.log needs=$expdir/stats/$name/stats.log
  if [[ $command == objectives_train ]]; then
    options+=${objectives_args:+ $objectives_args}
  elif [[ -n ${mixed[$name]:-} ]]; then
    options+=${joint_args:+ $joint_args}
  fi
  if [[ $1 == mixture ]]; then options+=" $(mixture_options)"; fi
  mapfile -t sets < <(sets_of_data "$name")
  words="$(basename "$config") $(fingerprint "$config") $options $(fingerprint "${sets[@]}")"
  if [[ ${4:-base} != base ]]; then
    start=$expdir/$4/model
    inputs=("$expdir/$4/.done")
  else
    mapfile -t inputs < <(starts_of "$options")
  fi
  if ((${#inputs[@]})); then words+=" $(fingerprint "${inputs[@]}")"; fi
  needs+=" ${inputs[*]/%.done/launch.log}"
  if [[ $take_added == true && -f $out/.added ]] && ! is_done "$out/.done" "$words"; then
    log "$1 was added by add_language.sh: it is taken as it is"
    return
  fi
  is_todo "$out/.done" "$out/train.log" "training $1" "$config" "$options" "${sets[@]}" \
    "${inputs[@]}" || return 0
  if [[ $listing == true ]]; then
    plan_job train "training $1" "" "$needs" "$cuda_cmd --name $1$(resources)" "$log" train
    return
  fi
  renew_training "$out"
  read -ra args <<<"$(data_args "$name")"
  read -ra more <<<"$options"
  if ((ngpu && num_nodes == 1)); then launcher=(../../../local/on_gpus.sh "$ngpu"); fi
  # The processes of a start of a job meet at a file of their own.
  plan_job train "training $1" "$out/.done" "$needs" ../../../local/train.sh "$log" \
    "$python" -m espnet2.bin.launch --cmd "$cuda_cmd --name $1" \
    --log "$out/train.log" --ngpu "$ngpu" --num_nodes "$num_nodes" \
    --init_file_prefix "$out/.dist_init_\${SLURM_JOB_ID:-0}.\${SLURM_RESTART_COUNT:-0}_" \
    --multiprocessing_distributed true -- "${launcher[@]}" "$python" -m "espnet_merge.bin.$command" \
    --config "$config" --resume true --whisper "$start" --output_dir "$out" "${args[@]}" \
    --train_shape_file "$expdir/stats/$name/train/speech_shape" \
    --valid_shape_file "$expdir/stats/$name/valid/speech_shape" "${more[@]}"
}

# starts_of OPTIONS: what a training starts from beside a base that never changes, one a line:
# marks of the models and files of the similarities that options name, and the mark of the
# model that stands in for the base (expand.sh).
starts_of() {
  local file files
  if [[ $(readlink "$expdir/base") == */model ]]; then
    realpath --relative-to=. "$expdir/base/../.done"
  fi
  read -ra files <<<"${1//[][=,]/ }"
  for file in "${files[@]}"; do
    if [[ $file == */model ]]; then file=${file%model}.done; fi
    if [[ $file != */.done && $file != */similarity.json ]]; then continue; fi
    if [[ -n ${will_say[$file]:-} || -f $file ]]; then echo "$file"; fi
  done
}

resources() { # options of cuda_cmd, as ESPnet's launcher adds them
  if ((ngpu)); then echo " --gpu $ngpu"; fi
  if ((num_nodes > 1)); then echo " --num_nodes $num_nodes"; fi
}

# renew_training DIRECTORY: set aside what was trained otherwise, which may have taken days;
# note what is trained now.
renew_training() {
  local out=$1 number=1 place=$expdir/replaced/${1##*/}
  if [[ -f $out/.settings ]] && ! is_done "$out/.settings" "$words"; then
    while [[ -e $place.$number ]]; do number=$((number + 1)); done
    mkdir -p "$expdir/replaced"
    mv "$out" "$place.$number"
    why+="; what was there is now $place.$number"
  fi
  mkdir -p "$out"
  mark_done "$out/.settings" "$entry"
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
  if [[ -n ${needed[*]} ]]; then
    for name in "${needed[@]}"; do collect_statistics "$name"; done
  fi
  for name in "${merged[@]}"; do make_merge "$name"; done
}

make_merge() { # NAME
  local out=$expdir/$1 file=${config_of[$1]:-} models inputs kind args=() needs own=
  if [[ -n ${space_of[$1]:-} ]]; then
    search_coefficients "$1"
    return
  fi
  mapfile -t models < <(expert_dirs "${kind_of[$1]}")
  needs=("${models[@]/%//launch.log}")
  inputs=("${models[@]/%//.done}")
  words="$(fingerprint "$file") $(fingerprint "${inputs[@]}")"
  kind=$(statistics_kind "$file")
  if [[ -n $kind ]]; then
    words+=" $statistics_args $(fingerprint "${models[@]/%//.$kind.done}")"
    own=$statistics_args
    inputs+=("${models[@]/%//.$kind.done}")
    needs+=("${models[@]/%//$kind.log}")
    args=(--set "statistics=[$(IFS=,; echo "${models[*]/%//$kind}")]")
  fi
  words+=${merge_args:+ $merge_args}
  is_todo "$out/.done" "$out/merge.log" "merging by $1" "$file" "$own" "$merge_args" \
    "${inputs[@]}" || return 0
  plan_job merge "merging by $1" "$out/.done" "${needs[*]}" "$train_cmd" "$out/merge.log" \
    espnet-merge merge --config "$file" --base "$expdir/base" \
    --experts "${models[@]/%//model}" "${args[@]}" --output "$out/model" --overwrite \
    "${merge_words[@]}"
}

search_coefficients() { # NAME: merge with coefficients that do best on development sets
  local out=$expdir/$1 mode=${decode_file[${modes[0]}]} models valid settings args=()
  mapfile -t models < <(expert_dirs "${kind_of[$1]}")
  valid=("${valid_sets[@]/#/$dumpdir/}")
  settings="$(fingerprint "${space_of[$1]}" "$mode") $(fingerprint "${models[@]/%//.done}")"
  settings+=" $(fingerprint "${valid[@]/%//.done}") $normalizer${merge_args:+ $merge_args}"
  words="$settings $search_args"
  is_todo "$out/.done" "$out/search.log" "searching for $1" "${space_of[$1]}" "$mode" \
    "--normalizer $normalizer" "$merge_args" "$search_args" "${models[@]/%//.done}" \
    "${valid[@]/%//.done}" || return 0
  # More trials of the same search are added to those that are there.
  if ! is_done "$out/.settings" "$settings"; then
    args=(--overwrite)
    if [[ $listing == false ]]; then
      rm -rf "$out"
      mkdir -p "$out"
      mark_done "$out/.settings" "$settings"
    fi
  fi
  plan_job search "searching for $1" "$out/.done" "${models[*]/%//launch.log}" "$train_cmd" \
    "$out/search.log" espnet-merge search --space "${space_of[$1]}" --base "$expdir/base" \
    --experts "${models[@]/%//model}" --data "${valid[@]}" \
    --decode-config "$mode" --normalizer "$normalizer" --output "$out" "${args[@]}" \
    "${merge_words[@]}" "${search_words[@]}"
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
  local kind=${1%%:*} out=${1#*:} system name model sets
  system=${out##*/}
  name=${system#*_}
  model=(--model "$out/model")
  if is_lora "$system"; then
    model=(--model "$expdir/base" --adapter "$out/model")
  fi
  mapfile -t sets < <(sets_of_data "$name")
  words="$(fingerprint "$out/.done") $(fingerprint "${sets[@]}") $statistics_args"
  is_todo "$out/.$kind.done" "$out/$kind.log" "$kind statistics of $system" "$out/.done" \
    "${sets[@]}" "$statistics_args" || return 0
  plan_job statistics "$kind statistics of $system" "$out/.$kind.done" "$out/launch.log" \
    "$train_cmd" "$out/$kind.log" espnet-merge statistics --kind "$kind" "${model[@]}" \
    --data "$dumpdir/$(train_set "$name")" --output "$out/$kind" --overwrite \
    "${statistics_words[@]}"
}

# run_planned: run what stages 6 to 9 have planned, each job when its inputs are there.
run_planned() {
  local dirs=("${trained[@]/#/$expdir/}" "${later[@]/#/$expdir/}")
  if [[ $listing == true || ${#plan[@]} == 0 ]]; then return; fi
  follow "${dirs[@]/%//train.log}" "${dirs[@]/%//launch.log}"
  renewing run_plan stats="$nj" train="$train_nj" router=1 statistics="$nj" merge="$nj" \
    search="$nj" decode="$decode_nj"
  unfollow
}
