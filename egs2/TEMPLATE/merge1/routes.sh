# shellcheck shell=bash disable=SC2154,SC2034,SC2004
# Source me. Systems that route between the LoRA experts. Each utterance is decoded by the
# expert of its test set's group (routed), by the one that a router hears (routed_heard), or
# by all, weighted by a gate (mixture). Expects the options of merge.sh and the variables of
# names.sh.

has_route() { [[ " $routes " == *" $1 "* ]]; } # SYSTEM

# read_routes: check --routes, and fill route_names and lora_experts.
read_routes() {
  local name
  for name in $routes; do
    [[ " routed routed_heard mixture " == *" $name "* ]] ||
      fail "--routes must be of routed, routed_heard and mixture; got '$name'."
  done
  [[ -z $routes || " $kinds " == *" lora "* || ${#trained_names[@]} == 0 ]] ||
    fail "--routes needs lora in --kinds, which are '$kinds'."
  ((${#expert_names[@]} > 1)) || ! has_route routed_heard ||
    fail "--routes routed_heard needs two experts to choose from; got '$experts'."
  route_names=()
  for name in routed routed_heard mixture; do
    if has_route "$name"; then route_names+=("$name"); fi
  done
  mapfile -t lora_experts < <(expert_dirs lora)
}

# Stage 7
train_router() {
  local out=$expdir/routed_heard name train=() valid=() more sets inputs=()
  words=$router_args
  for name in "${expert_names[@]}"; do
    words+=" $name $(sets_fingerprint "$name")"
    mapfile -t sets < <(sets_of_data "$name")
    inputs+=("${sets[@]}")
    train+=("$name=$dumpdir/$(train_set "$name")")
    valid+=("$name=$dumpdir/${name}_valid")
  done
  read -ra more <<<"$router_args"
  is_todo "$out/.router.done" "$out/router.log" "training the router" "$router_args" \
    "${inputs[@]}" || return 0
  plan_job router "training the router" "$out/.router.done" "" "$train_cmd" "$out/router.log" \
    espnet-merge router --model "$expdir/base" \
    --train "${train[@]}" --valid "${valid[@]}" --output "$out/router" --overwrite "${more[@]}"
}

mixture_options() { # options of whisper_train with the experts
  local models=("${lora_experts[@]/%//model}")
  printf -- '--mixture_conf adapters=[%s]' "$(join_by_comma "${models[@]}")"
}

# Stage 9
router_words() { # what decides the hypotheses, beside what decides those of all systems
  local inputs=("$expdir/routed_heard/.router.done" "${lora_experts[@]/%//.done}")
  echo "$routed_args $(fingerprint "${inputs[@]}")"
}

router_options() { # options of decode with the router and its experts, one a line
  local name words
  read -ra words <<<"$routed_args"
  printf '%s\n' --router "$expdir/routed_heard/router" "${words[@]}" --adapters
  for name in "${expert_names[@]}"; do
    printf '%s\n' "$name=$expdir/$(expert_system lora "$name")/model"
  done
}

# The hypotheses of routed are there already, those of the experts and of the base. A link
# says whose they are, and is never out of date.
link_routed() {
  local mode set from
  if [[ $listing == true ]]; then return; fi
  for mode in "${modes[@]}"; do
    mkdir -p "$expdir/routed/inference_$mode"
    for set in "${tests[@]}"; do
      if [[ -n ${group_of[$set]:-} ]]; then
        from=$(expert_system lora "${group_of[$set]}")/inference_$mode
      elif [[ -n $base_decode_config ]]; then
        from=zero_shot/inference_${base_modes[0]}
      else
        from=zero_shot/inference_$mode
      fi
      ln -sfn "../../$from/$set" "$expdir/routed/inference_$mode/$set"
    done
  done
}
