# shellcheck shell=bash disable=SC2154
# Source me after stage.sh. What a recipe makes, of what, and why: marks, plans, and lists
# of what is to be done. Expects dry_run and expdir.
#
# A mark is a file beside a result. Its first line, "words", says what the result was made
# of; a result is made again where it differs. Lines below give parts of it by name, for
# whoever asks what has changed.

listing=false    # true: the stages are asked what they would make, and make nothing
stage_number=    # the stage that is asked
words='' why=''  # of the result that is asked for
entry=''         # what its mark will say
declare -A will_say=() # mark -> its first line, once this run is over
listed=()        # results, a line each: stage, state, why, mark, logs, what, words
plan=()          # jobs for run_plan.py

# fingerprint FILE...: checksum of their content. Of a mark it is the first line, as it
# will be when this run has made it; where a list is made, a file may be missing.
fingerprint() {
  local file
  for file; do
    if [[ -n ${will_say[$file]:-} ]]; then
      printf '%s\n' "${will_say[$file]}"
    elif [[ $file == *.done ]]; then
      if [[ -f $file || $listing == false ]]; then first_line "$file"; fi
    elif [[ -f $file || $listing == false ]]; then
      cat "$file"
    fi
  done | cksum
}

# is_todo MARK LOGS WHAT PART...: whether something must be made, since its mark does not
# say words. WHAT is said of it on the screen, and LOGS are where it says how far it is. A
# PART is what words are of: a configuration (*.yaml), options (--name value), the mark or
# file of an input, or NAME=CHECKSUM of one.
is_todo() {
  local mark=$1 state='to do'
  will_say[$mark]=$words
  why=''
  if is_done "$mark" "$words"; then
    state='done'
  else
    why=$(why_todo "$mark" "${@:4}")
    entry=$words$'\n'$(parts "${@:4}")
  fi
  if [[ $listing == true ]]; then
    listed+=("$stage_number"$'\t'"$state"$'\t'"$why"$'\t'"$mark"$'\t'"$2"$'\t'"$3"$'\t'"$words")
  fi
  [[ $state == 'to do' ]]
}

# must_make MARK LOGS WHAT PART...: the same, but nothing is made for a list. The mark goes,
# since what it speaks of is overwritten from now on.
must_make() {
  if ! is_todo "$@" || [[ $listing == true ]]; then return 1; fi
  log "$3: starts ($why)"
  rm -f "$1"
}

# parts PART...: what they say, a line each that begins with its sort.
parts() {
  local part option
  for part; do
    part=${part#"${part%%[![:space:]]*}"}
    if [[ $part == *.yaml ]]; then
      sed -n 's/[[:space:]]*#.*//; s/^[[:space:]]*//; /./s/^/configuration /p' "$part"
    elif [[ $part == --* ]]; then
      while [[ -n $part ]]; do
        option=${part%% --*}
        part=${part:${#option}}
        part=${part# }
        printf 'option %s\n' "$option"
      done
    elif [[ $part == *=* ]]; then
      printf 'input %s %s\n' "${part%%=*}" "${part#*=}"
    elif [[ -n $part ]]; then
      printf 'input %s %s\n' "${part%/.done}" "$(fingerprint "$part")"
    fi
  done
}

# why_todo MARK PART...: why something must be made. Beside the mark of what takes long,
# .settings says what was begun.
why_todo() {
  local mark=$1 begun=${1%.done}.settings changed
  if [[ ! -f $mark && ! -f $begun ]]; then
    echo new
    return
  fi
  if [[ ! -f $mark ]]; then mark=$begun; fi
  if [[ $mark == "$begun" && $words == "$(first_line "$begun")"* ]]; then
    echo "not finished"
    return
  fi
  if (($(wc -l <"$mark") < 2)); then
    echo "made by other settings or inputs"
    return
  fi
  changed=$(comm -3 <(tail -n +2 "$mark" | sort -u) <(parts "${@:2}" | sort -u) | awk '
    { sort = $1; name = $2; sub(/:$/, "", name) }
    !seen[sort, name]++ && ++count[sort] <= 3 {
      names[sort] = names[sort] (names[sort] ? ", " : "") name
    }
    END {
      split("configuration option input", sorts, " ")
      for (i = 1; i in sorts; i++) if (sorts[i] in names) {
        text = text (text ? "; " : "") sorts[i] (sorts[i] == "input" ? " newer: " : " changed: ")
        text = text names[sorts[i]]
        if (count[sorts[i]] > 3) text = text " and " count[sorts[i]] - 3 " more"
      }
      print text
    }')
  echo "${changed:-made by other settings or inputs}"
}

# plan_job KIND WHAT MARK NEEDS CMD [JOB=1:n] LOG WORD...: let run_plan run WORD... by CMD,
# on a GPU if the words ask for one, when the jobs with the logs NEEDS have succeeded.
# Then MARK says entry. Without MARK, a later job makes the result.
plan_job() {
  local kind=$1 what=$2 mark=$3 needs=$4 runner=$5 array='' log said=$why
  shift 5
  if [[ $1 =~ ^[A-Z]+=[0-9]+:[0-9]+$ ]]; then
    array=$1
    shift
  fi
  log=$1
  shift
  if [[ $(device_of "$@") == cuda ]]; then
    runner+=" --gpu 1"
    set -- ../../../local/on_gpus.sh 1 "$@"
  fi
  plan+=($(($# + 9)) "$kind" "$what" "$said" "$mark" "$entry" "$needs" "$runner" "$array" "$log" "$@")
  why='' # of several jobs for one result, the first says it
}

# run_plan KIND=N...: run what is planned, on this machine N jobs of a kind at a time.
run_plan() {
  if [[ $listing == true || ${#plan[@]} == 0 ]]; then return; fi
  printf '%s\0' "${plan[@]}" |
    PLAN_OF=${0##*/} ../../../local/run_plan.py --limit "$@"
  plan=()
}

# list_stages COMMAND: ask the stages, which COMMAND names, what they would make.
list_stages() {
  listing=true
  "$1"
  listing=false
  if [[ $dry_run == true ]]; then
    print_listed
    exit
  fi
  keep_listed
  plan=()
  will_say=()
}

# print_listed: what would be made, why, and what would be submitted for it.
print_listed() {
  printf '%s\n' "${listed[@]}" | awk -F '\t' '
    $1 != stage { flush(); stage = $1 }
    { count[$2]++ }
    $2 == "to do" { lines = lines "  " $6 ": " $3 "\n" }
    END { flush() }
    function flush() {
      if (stage) printf "stage %s: %d done, %d to do\n%s", stage, count["done"], count["to do"], lines
      delete count
      lines = ""
    }'
  if ((${#plan[@]})); then
    printf '%s\0' "${plan[@]}" | ../../../local/run_plan.py --dry-run
  fi
}

# keep_listed: note for --status what this run makes; of other stages the notes stay.
keep_listed() {
  local file=$expdir/.plan.tsv part
  part="$file.$HOSTNAME.$BASHPID.part"
  {
    if [[ -f $file ]]; then
      awk -F '\t' -v first="$stage" -v last="$stop_stage" '$1 < first || $1 > last' "$file"
    fi
    if ((${#listed[@]})); then printf '%s\n' "${listed[@]}"; fi
  } | sort -s -n -k 1,1 >"$part"
  mv "$part" "$file"
}
