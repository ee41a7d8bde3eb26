#!/usr/bin/env bats

# decode_by_jobs, with stand-ins for the command and for what runs its jobs.

setup() {
  cd "$BATS_TEST_TMPDIR" || exit
  mkdir bin
  cat >bin/espnet-merge <<'EOF'
#!/usr/bin/env bash
echo "$*" >>calls
if [[ -e broken && $* == *"--shard 2/3"* ]]; then
  echo "espnet-merge decode: error: no room" >&2
  exit 2
fi
EOF
  cat >bin/run_array <<'EOF'
#!/usr/bin/env bash
# One job after the other, each with its number and its log.
count=1 failed=0
if [[ $1 == JOB=1:* ]]; then count=${1#JOB=1:} && shift; fi
for ((job = 1; job <= count; job++)); do
  words=("${@//JOB/$job}")
  mkdir -p "$(dirname "${words[0]}")"
  "${words[@]:1}" >"${words[0]}" 2>&1 || failed=1
done
exit "$failed"
EOF
  chmod +x bin/*
  cat >script.sh <<EOF
set -euo pipefail
. "$BATS_TEST_DIRNAME/../../local/stage.sh"
. "$BATS_TEST_DIRNAME/../../local/jobs.sh"
. "$BATS_TEST_DIRNAME/../../local/decode.sh"
PATH=\$PWD/bin:\$PATH
decode_cmd=run_array
decode_by_jobs "\$@"
echo "the end"
EOF
}

@test "one job decodes alone" {
  run bash script.sh 1 logs --model m
  [ "$status" -eq 0 ]
  [ "$(cat calls)" = "decode --model m" ]
  [ -f logs/decode.log ]
}

@test "several jobs have a shard each, and are joined" {
  run bash script.sh 3 logs --model m
  [ "$status" -eq 0 ]
  [ "$(wc -l <calls)" -eq 4 ]
  for number in 1 2 3; do
    grep -qx "decode --shard $number/3 --model m" calls
    [ -f "logs/decode.$number.log" ]
  done
  [ "$(tail -n 1 calls)" = "decode --model m" ]
}

@test "nothing is joined when a job fails, and its error is shown" {
  touch broken
  run bash script.sh 3 logs --model m
  [ "$status" -eq 2 ]
  [[ $output == *"decoding into logs: espnet-merge decode: error: no room"* ]]
  [[ $output != *"the end"* ]]
  [ "$(grep -c shard calls)" -eq 3 ]
  [ "$(wc -l <calls)" -eq 3 ]
}

@test "jobs are told whether model, data or configuration are the same, not the output" {
  mkdir -p model data/es_test out/es_test
  echo 1 >model/weights
  # shellcheck disable=SC2016
  printf '#!/bin/sh\necho "$JOB_INPUTS" >>inputs\n' >bin/run_array
  decode() { bash script.sh 1 logs --model m --adapters es=model --data data/es_test --output out/es_test; }
  decode
  echo new >out/es_test/text
  decode
  echo 22 >model/weights
  decode
  echo "a b" >data/es_test/text
  decode
  [ "$(wc -l <inputs)" -eq 4 ]
  [ "$(uniq inputs | wc -l)" -eq 3 ]
}
