# shellcheck shell=bash
# Source me. Languages that one base serves with an adapter each, and the proof that
# adding or removing one leaves the others as they were. Expects the options expdir,
# dumpdir, decode_config, decode_args, hear and inference_nj, and local/decode.sh.

# others NAME: the experts with an adapter, that one apart.
others() {
  local dir name
  for dir in "${expdir:?}"/lora_*/model; do
    name=${dir#"$expdir/lora_"}
    name=${name%/model}
    if [[ -d $dir && $name != "$1" ]]; then printf '%s\n' "$name"; fi
  done
}

# by_similarity FILE NAME...: options of whisper_train that give it the adapters of
# trained languages, and how similar each is to the new one.
by_similarity() {
  local name
  printf -- '--init_similarity %s' "$1"
  for name in "${@:2}"; do
    # A mixture is no adapter that another one could start from.
    if [[ -f $expdir/lora_$name/model/mixture_config.json ]]; then continue; fi
    printf -- ' --init_adapters %s=%s' "${name%%_*}" "$expdir/lora_$name/model"
  done
}

# decode_by NAME OUTPUT: what is spoken in NAME_test, by the adapter of that language.
decode_by() {
  local words
  read -ra words <<<"${decode_args?}"
  if [[ ${hear:?} == true ]]; then words+=(--hear); fi
  decode_by_jobs "${inference_nj:?}" "$2" --model "$expdir/base" \
    --adapter "$expdir/lora_$1/model" --config "${decode_config:?}" \
    --data "${dumpdir:?}/${1}_test" --output "$2/${1}_test" "${words[@]}"
}

usual_place() { # NAME: where merge.sh writes its hypotheses
  printf '%s\n' "$expdir/lora_$1/inference_$(basename "${decode_config:?}" .yaml)"
}

decode_before() { decode_by "$1" "$(usual_place "$1")"; } # NAME

# again NAME: decode it anew, and end unless text and scores are what they were.
again() {
  local place before after
  place=$(usual_place "$1")
  rm -rf "$place/again"
  decode_by "$1" "$place/again"
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
