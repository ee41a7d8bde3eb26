# shellcheck shell=bash disable=SC2154,SC2034
# Source me. Experts that the user has already, full models or LoRA adapters. They are
# taken, not trained: expert NAME is the system own_NAME, whatever --kinds says. Expects the
# options of merge.sh and the variables of names.sh.

declare -A source_of=() # expert that is taken -> its path, or its name on the hub

# read_taken EXPERTS MODELS: fill source_of, taken_names and their systems, and trained_names.
read_taken() {
  local name word
  for word in $2; do
    [[ $word == ?*=?* ]] ||
      fail "--expert_models must be of NAME=MODEL, as 'es=PATH it=owner/name'; got '$word'."
    name=${word%%=*}
    [[ " $1 " == *" $name "* ]] ||
      fail "--expert_models must name experts, which are '$1'; got '$name' in '$word'."
    [[ -z ${source_of[$name]:-} ]] ||
      fail "--expert_models must give an expert one model; '$name' has two."
    source_of[$name]=${word#*=}
  done
  taken_names=() trained_names=()
  for name in $1; do
    if [[ -n ${source_of[$name]:-} ]]; then
      taken_names+=("$name")
    else
      trained_names+=("$name")
    fi
  done
  taken=("${taken_names[@]/#/own_}")
}

expert_system() { # KIND NAME: the system that is expert NAME, of a kind if it is trained
  if [[ -n ${source_of[$2]:-} ]]; then echo "own_$2"; else echo "$1_$2"; fi
}

expert_dirs() { # KIND: the directories of all experts, one a line
  local name
  for name in "${expert_names[@]}"; do echo "$expdir/$(expert_system "$1" "$name")"; done
}

# Stage 4
take_experts() {
  local name models=("${taken[@]/#/$expdir/}")
  for name in "${taken_names[@]}"; do take_expert "$name"; done
  if ((${#taken[@]} == 0 || ${#merged[@]} == 0)); then return; fi
  # What does not fit the base is found before others are trained.
  words=$(fingerprint "${models[@]/%//.done}")
  must_make "$expdir/.taken.done" "" "checking ${taken[*]}" "${models[@]/%//.done}" || return 0
  espnet-merge merge --dry-run --method soup --base "$expdir/base" \
    --experts "${models[@]/%//model}" --output "$expdir/own_checked" >/dev/null
  mark_done "$expdir/.taken.done" "$entry"
}

take_expert() { # NAME
  local out=$expdir/own_$1 model=${source_of[$1]} state
  state=$(files_state "$model")
  words="$model $(fingerprint "$expert_mode") $state"
  must_make "$out/.done" "" "taking own_$1" "$expert_mode" "$model=$state" || return 0
  mkdir -p "$out"
  espnet-merge fetch "$model" --output "$out/model" --overwrite \
    --trained "$expert_mode" --tokenizer "$expdir/base" >&2
  mark_done "$out/.done" "$entry"
}

# Stage 7
report_taken() {
  local name
  for name in "${taken_names[@]}"; do
    [[ -n ${will_say[$expdir/own_$name/.done]:-} || -f $expdir/own_$name/.done ]] ||
      fail "$expdir/own_$name must be taken from ${source_of[$name]}; it is not: run stage 4."
    log "own_$name: ${source_of[$name]}, taken as it is, not trained"
  done
}
