# shellcheck shell=bash
# Source me. Functions of add_language.sh, remove_language.sh and expand.sh: one base has an
# adapter for each language, and the hypotheses of the other languages must not change.
# Expects the options expdir, dumpdir, decode_config, decode_args, hear and inference_nj,
# and local/decode.sh.

# other_experts NAME: all experts with an adapter, except NAME.
other_experts() {
  local dir name
  for dir in "${expdir:?}"/lora_*/model; do
    name=${dir#"$expdir/lora_"}
    name=${name%/model}
    if [[ -d $dir && $name != "$1" ]]; then printf '%s\n' "$name"; fi
  done
}

# similarity_options FILE NAME...: options of whisper_train with the adapters of trained
# languages and the file of their similarity to the new language.
similarity_options() {
  local name
  printf -- '--init_similarity %s' "$1"
  for name in "${@:2}"; do
    # No adapter can start from a mixture.
    if [[ -f $expdir/lora_$name/model/mixture_config.json ]]; then continue; fi
    printf -- ' --init_adapters %s=%s' "${name%%_*}" "$expdir/lora_$name/model"
  done
}

# decode_with_adapter NAME OUTPUT: decode NAME_test with the adapter of expert NAME.
decode_with_adapter() {
  local options
  read -ra options <<<"${decode_args?}"
  if [[ ${hear:?} == true ]]; then options+=(--hear); fi
  decode_by_jobs "${inference_nj:?}" "$2" --model "$expdir/base" \
    --adapter "$expdir/lora_$1/model" --config "${decode_config:?}" \
    --data "${dumpdir:?}/${1}_test" --output "$2/${1}_test" "${options[@]}"
}

inference_dir() { # NAME: directory that merge.sh writes its hypotheses into
  printf '%s\n' "$expdir/lora_$1/inference_$(basename "${decode_config:?}" .yaml)"
}

decode_language() { decode_with_adapter "$1" "$(inference_dir "$1")"; } # NAME

# check_unchanged NAME: decode it again, and fail if a text or score has changed.
check_unchanged() {
  local place before after
  place=$(inference_dir "$1")
  rm -rf "$place/again"
  decode_with_adapter "$1" "$place/again"
  before=$(checksum "$place/${1}_test")
  after=$(checksum "$place/again/${1}_test")
  [[ $before == "$after" ]] ||
    fail "the hypotheses of $1 must be what they were; they are not: compare" \
      "$place/${1}_test and $place/again/${1}_test."
  rm -rf "$place/again"
  log "$1: the same to the byte, SHA-256 ${before:0:12}"
}

checksum() { # DIRECTORY: of texts and scores; the head of text.json holds paths
  { cat "$1/text" && sed '1,/^ "utterances"/d' "$1/text.json"; } | sha256sum | cut -d ' ' -f 1
}
