# shellcheck shell=bash disable=SC2154,SC2034,SC2004
# Source me. What a run is about: its experts, sets, configurations and systems, which
# follow from the options of merge.sh. The other files expect these variables.

declare -A merge_file=() decode_file=() soup_file=() # name -> its configuration
declare -A mixed=() # combined data of several experts: name -> experts
declare -A kind_of=() config_of=() # merge -> kind of its experts, and its configuration
declare -A space_of=() # merge -> what is open of it

# read_names: check the options that name something, and fill all variables.
read_names() {
  read_stages
  read_experts
  read_tests
  read_words
  read_configs
  read_mixed
  read_sets
  read_trained
  read_merged
  read_systems
}

read_stages() {
  if [[ $skip_data_prep == true ]]; then skip_stages+=" 1 2 3 5"; fi
  if [[ $skip_train == true ]]; then skip_stages+=" 6 7"; fi
  if [[ $skip_eval == true ]]; then skip_stages+=" 9 10 11"; fi
  check_stages 11
  [[ $skip_upload == true ]] ||
    fail "--skip_upload must be true: a recipe uploads nothing; espnet-merge push does."
}

read_experts() {
  if [[ $experts == auto ]]; then experts=$(names_in_data train); fi
  [[ -n $experts ]] || fail "--experts must name at least one expert, as 'es it ru'."
  read -ra expert_names <<<"$experts"
  read -ra kind_names <<<"$kinds"
  check_kinds kinds "${kind_names[@]}"
  read_taken "$experts" "$expert_models"
  if [[ $joint == auto ]]; then
    if ((${#taken_names[@]} || ${#expert_names[@]} == 1)); then joint=; else joint=full; fi
  fi
  read -ra joint_kinds <<<"$joint"
  check_kinds joint "${joint_kinds[@]}"
  read -ra merge_kinds <<<"$merge_kind"
}

check_kinds() { # OPTION KIND...
  local kind
  for kind in "${@:2}"; do
    [[ $kind == full || $kind == lora ]] ||
      fail "--$1 must be of full and lora; got '$kind'."
  done
}

read_tests() {
  local name dir
  if [[ $test_sets == auto ]]; then test_sets=$(names_in_data test _test); fi
  [[ -n $test_sets ]] || fail "--test_sets must name at least one set, as 'es_test'."
  read -ra tests <<<"$test_sets"
  read -ra ood_dirs <<<"$ood"
  for dir in "${ood_dirs[@]}"; do tests+=("$(basename "$dir")"); done
  if [[ $eval_valid_set == true ]]; then
    for name in "${expert_names[@]}"; do
      tests+=("${name}_dev")
      groups+=" $name=${name}_dev"
    done
  fi
  for name in "${tests[@]}"; do
    [[ " ${expert_names[*]/%/_train} ${expert_names[*]/%/_valid} " != *" $name "* ]] ||
      fail "--test_sets must not be of training or validation sets, from which utterances" \
        "are dropped; got '$name': give it a second name under data/."
  done
  check_unique "test set" "${tests[@]}"
  read_groups "${expert_names[*]}" "${tests[*]}" "$groups"
}

read_words() { # options that are passed on
  read -ra factors <<<"$speed_factors"
  read -ra merge_words <<<"$merge_args"
  read -ra search_words <<<"$search_args"
  read -ra statistics_words <<<"$statistics_args"
  read -ra decode_words <<<"$decode_args"
  if [[ $hear == true ]]; then decode_words+=(--hear); fi
  if [[ $gpu_inference == true ]]; then decode_words+=(--device cuda); fi
}

read_configs() {
  local name file
  full_config=$(conf_file train "$full_config")
  lora_config=$(conf_file train "$lora_config")
  mixture_config=$(conf_file train "$mixture_config")
  expert_mode=$(conf_file decode "$expert_mode")
  soups=() merges=() modes=()
  for name in $objectives; do
    file=$(conf_file train "$name")
    name=$(basename "$file" .yaml)
    soups+=("${name#objectives_}")
    soup_file[${soups[-1]}]=$file
  done
  for name in $merge_configs; do
    file=$(conf_file merge "$name")
    merges+=("$(basename "$file" .yaml)")
    merge_file[${merges[-1]}]=$file
  done
  for name in $decode_configs; do
    file=$(conf_file decode "$name")
    modes+=("$(basename "$file" .yaml)")
    decode_file[${modes[-1]}]=$file
  done
  check_unique "decoding mode" "${modes[@]}"
  base_modes=("${modes[@]}")
  [[ -n $base_decode_config ]] || return 0
  file=$(conf_file decode "$base_decode_config")
  base_modes=("$(basename "$file" .yaml)")
  name=${decode_file[${base_modes[0]}]:-$file}
  [[ $name == "$file" ]] ||
    fail "--base_decode_config and --decode_configs must have names of their own; '$file'" \
      "and '$name' have one: copy it to another name."
  decode_file[${base_modes[0]}]=$file
}

read_mixed() { # which experts' data is put together
  local name task
  if [[ -n $joint$objectives ]] || has_route mixture; then mixed[joint]=$experts; fi
  [[ $two_stage == true ]] || return 0
  for name in "${expert_names[@]}"; do
    # A set of translations is named by both languages, as es-en.
    if [[ ${name%%_*} == *-* ]]; then task=translation; else task=recognition; fi
    mixed[$task]+="$name "
  done
  [[ -n ${mixed[translation]:-} && -n ${mixed[recognition]:-} ]] ||
    fail "--two_stage needs experts of both tasks, as 'es es-en'; got '$experts'."
}

read_sets() {
  train_suffix=_train
  if ((${#factors[@]})); then train_suffix=_train_sp; fi
  learned=("${trained_names[@]}") # experts on whose data something is trained or measured
  if ((${#mixed[@]})) || has_route routed_heard || needs_statistics; then
    learned=("${expert_names[@]}")
  fi
  train_sets=("${learned[@]/%/$train_suffix}")
  valid_sets=("${learned[@]/%/_valid}")
  if [[ -n $search ]]; then valid_sets=("${expert_names[@]/%/_valid}"); fi
  all_sets=("${train_sets[@]}" "${valid_sets[@]}" "${tests[@]}")
  datasets=("${trained_names[@]}" "${!mixed[@]}") # what a model is trained on
}

read_trained() {
  local kind
  trained=() # systems that are trained, the longest job first
  for kind in "${joint_kinds[@]}"; do
    if [[ $kind == full ]]; then trained+=(joint); else trained+=(joint_lora); fi
  done
  if [[ $two_stage == true ]]; then trained+=(two_stage); fi
  trained+=("${soups[@]}")
  later=() # systems that are trained when the experts are
  if [[ $sequential == true ]]; then
    check_sequential
    later+=(sequential)
  fi
  together=("${trained[@]}" "${later[@]}") # systems that are trained on the data of several experts
  if [[ $two_stage == true ]]; then together+=(recognition); fi # the first stage's
  read_routes
  if has_route mixture; then later+=(mixture); fi
  for kind in "${kind_names[@]}"; do trained+=("${trained_names[@]/#/${kind}_}"); done
}

check_sequential() {
  [[ " $kinds " == *" full "* ]] ||
    fail "--sequential true needs full in --kinds, which are '$kinds'."
  ((${#taken_names[@]} == 0)) ||
    fail "--sequential true trains all experts, and --expert_models takes" \
      "'${taken_names[*]}': leave one of them out."
  ((${#expert_names[@]} > 1)) ||
    fail "--sequential true needs two experts, one after the other; got '$experts'."
}

read_merged() {
  local kind name file
  merged=() # systems that are merges
  for kind in "${merge_kinds[@]}"; do
    [[ -z $merge_configs$search || " $kinds " == *" $kind "* ]] ||
      fail "--merge_kind must be of --kinds, which are '$kinds'; got '$kind'."
    for name in "${merges[@]}"; do
      file=${merge_file[$name]}
      if [[ $kind != "${merge_kinds[0]}" ]]; then name+=_$kind; fi
      merged+=("$name")
      kind_of[$name]=$kind
      config_of[$name]=$file
    done
  done
  for name in $search; do
    file=$(conf_file search "$name")
    name=$(basename "$file" .yaml)
    put_searched "$name" merges
    put_searched "$name" merged
    kind_of[${name}_searched]=${merge_kinds[0]}
    space_of[${name}_searched]=$file
  done
  check_unique "merge" "${merges[@]}"
}

put_searched() { # NAME ARRAY: NAME_searched beside NAME, or where there is none at the end
  local -n list=$2
  local one placed=()
  for one in "${list[@]}"; do
    placed+=("$one")
    if [[ $one == "$1" ]]; then placed+=("$1_searched"); fi
  done
  [[ " ${placed[*]} " == *" $1_searched "* ]] || placed+=("$1_searched")
  list=("${placed[@]}")
}

read_systems() {
  systems=(zero_shot "${trained[@]}" "${later[@]}" "${taken[@]}" "${merged[@]}")
  if [[ $two_stage == true ]]; then systems+=(recognition); fi
  if has_route routed_heard; then systems+=(routed_heard); fi
  decoded=("${systems[@]}") # by themselves
  if has_route routed; then systems+=(routed); fi
  check_unique "system" "${systems[@]}"
}

# check_unique WHAT NAME...: fail if a name is repeated; two outputs would have one path.
check_unique() {
  local twice
  twice=$(printf '%s\n' "${@:2}" | sort | uniq -d | xargs)
  [[ -z $twice ]] || fail "every $1 must have a name of its own; '$twice' is there twice."
}
