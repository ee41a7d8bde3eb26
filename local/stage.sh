# shellcheck shell=bash
# Source me. Stages, messages, configurations and parallel jobs of a recipe.

# check_stages LAST: refuse stage numbers that do not exist.
check_stages() {
  local name
  for name in stage stop_stage; do
    if [[ ! ${!name} =~ ^[0-9]+$ ]] || ((${!name} < 1 || ${!name} > $1)); then
      echo "${0##*/}: error: --$name must be 1 to $1; got '${!name}'." >&2
      exit 2
    fi
  done
  for name in ${skip_stages:-}; do
    if [[ ! $name =~ ^[0-9]+$ ]] || ((name < 1 || name > $1)); then
      echo "${0##*/}: error: --skip_stages must be of 1 to $1; got '$name'." >&2
      exit 2
    fi
  done
}

is_skipped() { [[ " ${skip_stages:-} " == *" $1 "* ]]; } # STAGE

# run_stage N TITLE COMMAND...: run COMMAND if stage <= N <= stop_stage and skip_stages are
# without N. Never call it in 'if', '&&' or '||': bash then ignores errors inside the stage.
run_stage() {
  enter_stage "$1" "$2" || return 0
  if [[ ${listing:-false} == true ]]; then "${@:3}"; else attended "${@:3}"; fi
}

# plan_stage N TITLE COMMAND...: the same for a COMMAND that only plans what run_plan runs.
plan_stage() {
  enter_stage "$1" "$2" || return 0
  "${@:3}"
}

enter_stage() { # N TITLE
  if (($1 < ${stage:?} || $1 > ${stop_stage:?})) || is_skipped "$1"; then return 1; fi
  # shellcheck disable=SC2034 # for lists of what is to be done
  stage_number=$1
  log "stage $1: $2"
}

# attended COMMAND...: run COMMAND so that a signal is acted upon meanwhile; of a command
# in the foreground bash waits for the end first.
attended() {
  started "$@" <&0 &
  wait "$!"
}

# started COMMAND...: what runs in the background. A signal to it, alone or to all shells of
# a run, ends what it has started, too: bash would end it alone, and leave that running.
started() {
  end_by_signals
  "$@"
}

# end_all SIGNAL: end all that was started, and exit. What waits for jobs of a cluster
# cancels them.
end_all() {
  local processes own=$BASHPID
  trap '' TERM INT HUP
  mapfile -t processes < <(descendants "$own")
  [[ $own != "$$" ]] || log "ended by $1, and all that it has started"
  kill "${processes[@]}" 2>/dev/null || true
  for _ in {1..300}; do # a minute
    kill -0 "${processes[@]}" 2>/dev/null || break
    sleep 0.2
  done
  exit $((128 + $(kill -l "$1")))
}

# descendants PROCESS: all that it has started, and these have, the youngest first.
descendants() {
  local child children
  read -ra children < <(cat /proc/"$1"/task/*/children 2>/dev/null) || true
  for child in "${children[@]}"; do
    descendants "$child"
    echo "$child"
  done
}

end_by_signals() {
  local name
  for name in TERM INT HUP; do
    # shellcheck disable=SC2064
    trap "end_all $name" "$name"
  done
}

end_by_signals

say() { printf '%(%FT%T)T %s: %s\n' -1 "${0##*/}" "$*" >&2; }

log() { [[ ${listing:-false} == true ]] || say "$@"; }

fail() {
  say "error: $*"
  exit 2
}

# last_error LOG...: the last line that mentions an error, or what the client of the cluster
# says first, unless that is a status of the command's own.
last_error() {
  local said found
  said=$(grep -hs '^slurm\.py: error: ' "$@" || true)
  said=${said%%$'\n'*}
  found=$(grep -his 'error' "$@" | grep -vE '^(slurm\.py|srun): ' | tail -n 1 || true)
  if [[ $said != *' exited with status '* ]]; then found=${said:-$found}; fi
  found=${found:-$said}
  echo "${found:-see $1}"
}

# conf_file GROUP NAME: path of a configuration; the recipe's own file comes before the
# shared one.
conf_file() {
  local file
  for file in "$2" "conf/$1/$2.yaml" "../../../conf/$1/$2.yaml" "../../../$2"; do
    if [[ -f $file ]]; then
      printf '%s\n' "$file"
      return
    fi
  done
  fail "conf/$1/$2.yaml does not exist; there are:" \
    "$(cd ../../../conf && echo "$1"/*.yaml)"
}

# run_parallel N COMMAND ITEM...: run COMMAND ITEM for every item, N at a time. When all are
# done, returns the status of the last that failed. For a list of what is to be done, one
# after the other.
run_parallel() {
  local limit=$1 command=$2 item job failed=0 jobs=()
  shift 2
  if [[ ${listing:-false} == true ]]; then
    for item; do "$command" "$item"; done
    return
  fi
  for item; do
    while ((${#jobs[@]} >= limit)); do
      # It may be 127 where a job has just ended, so each job is asked by its number.
      wait -n || true
      collect_jobs
    done
    started "$command" "$item" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=$?; done
  return "$failed"
}

# collect_jobs: take those that have ended out of jobs; keep in failed a status but 0.
collect_jobs() {
  local job running=()
  for job in "${jobs[@]}"; do
    if kill -0 "$job" 2>/dev/null; then
      running+=("$job")
    else
      wait "$job" || failed=$?
    fi
  done
  jobs=("${running[@]}")
}

# follow LOG...: print the progress lines of ESPnet's training logs, and what the client of
# a cluster says, as they appear, with the names of their directories, until unfollow.
follow() {
  # /dev/null makes a second file: of a single file tail would not print the name.
  tail --pid=$$ -v -n 0 -F "$@" /dev/null 2>/dev/null | sed -unE '
    /^==> /{s|^==> .*/([^/]*)/[^/]* <==|\1|;h;}
    /epoch:train:/{
      s/.*INFO: ([0-9]+)epoch:train:([0-9-]+)batch:.* loss=([^,]*)/epoch \1, batches \2: loss \3/
      s/, acc=([^,]*).*/, accuracy \1/
      s/(loss [^,]*), .* conflicts=([^,]*).*/\1, layers in conflict \2/
      s/(loss [^,]*), [a-z_]*=.*/\1/
      G;s/(.*)\n(.*)/  \2: \1/p;}
    /^slurm\.py: /p' >&2 &
  _follower=$!
  disown
  # A stage that fails ends here, too; whoever reads what it prints waits for all writers.
  trap unfollow EXIT
}

unfollow() { kill "$_follower" 2>/dev/null || true; }

# is_done FILE WORDS: whether FILE records that the work was done with settings WORDS. A
# rerun asks this of all that is there, so no process is started.
is_done() {
  local line=
  [[ -f $1 ]] || return 1
  IFS= read -r line <"$1" || true # of an empty one
  [[ $line == "$2" ]]
}

first_line() { # FILE
  local line=
  IFS= read -r line <"$1" || true # of an empty one
  printf '%s\n' "$line"
}

files_state() { # PATH: whether its files are the same; nothing of a name on the hub
  if [[ -e $1 ]]; then
    find -L "$1" -maxdepth 1 -type f -printf '%f %s %T@\n' | sort | cksum
  fi
}

# mark_done FILE WORDS: record that, atomically. WORDS may go on with lines of details.
mark_done() {
  local part="$1.$HOSTNAME.$BASHPID.part" # no other writer's
  printf '%s\n' "$2" >"$part"
  mv "$part" "$1"
}
