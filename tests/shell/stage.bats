#!/usr/bin/env bats

bats_require_minimum_version 1.5.0

setup() {
  cd "$BATS_TEST_TMPDIR" || exit
  cat >script.sh <<EOF
#!/usr/bin/env bash
set -euo pipefail
stage=\$1 stop_stage=\$2
. "$BATS_TEST_DIRNAME/../../local/stage.sh"
EOF
}

@test "runs the stages asked for, in order" {
  cat >>script.sh <<'EOF'
run_stage 1 one echo 1
run_stage 2 two echo 2
run_stage 3 three echo 3
EOF
  run --separate-stderr bash script.sh 2 3
  [ "$output" = $'2\n3' ]
  [[ $stderr == *"stage 2: two"*"stage 3: three"* ]]
}

@test "stages to skip are left out, and must exist" {
  cat >>script.sh <<'EOF'
skip_stages=$3
check_stages 3
run_stage 1 one echo 1
run_stage 2 two echo 2
run_stage 3 three echo 3
EOF
  run --separate-stderr bash script.sh 1 3 "2 1"
  [ "$output" = 3 ]
  run bash script.sh 1 3 "2 4"
  [ "$status" -eq 2 ]
  [[ $output == *"--skip_stages must be of 1 to 3; got '4'."* ]]
}

@test "a stage that fails half-way ends the script" {
  cat >>script.sh <<'EOF'
broken() { false; echo after; }
run_stage 1 broken broken
run_stage 2 two echo 2
EOF
  run bash script.sh 1 2
  [ "$status" -eq 1 ]
  [[ $output != *after* && $output != *$'\n2'* ]]
}

@test "stages that do not exist are refused" {
  echo 'check_stages 3' >>script.sh
  for words in "0 3" "1 4" "x 3"; do
    # shellcheck disable=SC2086
    run bash script.sh $words
    [ "$status" -eq 2 ]
    [[ $output == *"must be 1 to 3"* ]]
  done
  run bash script.sh 1 3
  [ "$status" -eq 0 ]
}

@test "parallel jobs: so many at a time, all of them, and failure is kept" {
  cat >>script.sh <<'EOF'
job() {
  mkdir "slot.$1"
  sleep 0.2
  printf '%s\n' slot.* | wc -l >>seen
  rmdir "slot.$1"
  [[ $1 != bad ]]
}
run_parallel 2 job a bad c d
echo "not reached"
EOF
  run bash script.sh 1 1
  [ "$status" -eq 1 ]
  [[ $output != *"not reached"* ]]
  [ "$(wc -l <seen)" -eq 4 ]
  [ "$(sort -n seen | tail -n 1)" -le 2 ]
}

@test "jobs that end at once are waited for, again and again" {
  cat >>script.sh <<'EOF'
job() { [[ $1 != bad ]] || return 3; }
for _ in {1..150}; do run_parallel 2 job a b c d; done
run_parallel 2 job a bad c d
EOF
  for name in 1 2 3 4; do
    { bash script.sh 1 1 || echo "failed with $?" >"$name"; } &
  done
  wait
  [ "$(cat 1 2 3 4 | sort -u)" = "failed with 3" ]
}

@test "an error inside a parallel job stops that job" {
  cat >>script.sh <<'EOF'
job() { false; touch "after_$1"; }
run_parallel 2 job a
EOF
  run bash script.sh 1 1
  [ "$status" -eq 1 ]
  [ ! -e after_a ]
}

@test "a signal ends all that was started, however deep, and waits for it" {
  cat >>script.sh <<'EOF'
leaf() {
  # As the client of a cluster does, it needs a moment.
  python3 -c '
import signal, sys, time
def end(*_):
    time.sleep(1)
    open(f"ended.{sys.argv[1]}", "w").close()
    sys.exit()
signal.signal(signal.SIGTERM, end)
open(f"started.{sys.argv[1]}", "w").close()
time.sleep(60)' "$1"
}
deep() { run_parallel 2 leaf a b; }
run_stage 1 deep deep
touch after
EOF
  for name in TERM INT HUP; do
    rm -f started.* ended.*
    # What bash starts in the background ignores INT, and what nohup starts HUP, unlike
    # what a terminal starts.
    python3 -c 'import os, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.execvp("bash", ["bash", "script.sh", "1", "1"])' &
    job=$!
    until [[ -e started.a && -e started.b ]]; do sleep 0.1; done
    kill -s "$name" "$job"
    status=0
    wait "$job" || status=$?
    [ "$status" -eq $((128 + $(kill -l "$name"))) ]
    [[ -e ended.a && -e ended.b ]]
  done
  [ ! -e after ]
}

shells() { # PROCESS: it, and the shells that it has started, as "pkill -f script.sh" finds them
  local child children
  echo "$1"
  read -ra children < <(cat /proc/"$1"/task/*/children) || true
  for child in "${children[@]}"; do
    if [ "$(cat /proc/"$child"/comm)" = bash ]; then shells "$child"; fi
  done
}

@test "a signal to all shells of a run, or to one of them, ends what they have started" {
  cat >>script.sh <<'EOF'
leaf() {
  python3 -c '
import signal, sys, time
def end(*_):
    open(f"ended.{sys.argv[1]}", "w").close()
    sys.exit(1)
signal.signal(signal.SIGTERM, end)
open(f"started.{sys.argv[1]}", "w").close()
time.sleep(60)' "$1"
}
deep() { run_parallel 2 leaf a b; }
run_stage 1 deep deep
EOF
  for which in all stage; do
    rm -f started.* ended.*
    bash script.sh 1 1 &
    job=$!
    until [[ -e started.a && -e started.b ]]; do sleep 0.1; done
    if [ "$which" = all ]; then
      # shellcheck disable=SC2046
      kill $(shells "$job")
    else
      kill "$(cat /proc/"$job"/task/*/children)"
    fi
    run ! wait "$job"
    until [[ -e ended.a && -e ended.b ]]; do sleep 0.1; done
  done
}

@test "what the client of a cluster says comes before other errors, but for a status" {
  cat >>script.sh <<'EOF'
echo "RuntimeError: none" >log
echo "slurm.py: error: x.log: task 1 lost its node" >launch.log
last_error launch.log log
last_error none log
last_error none
sed -i 's/lost its node/exited with status 2 (job 1)/' launch.log
echo "srun: error: n1: task 0: Exited with exit code 2" >>log
last_error launch.log log
last_error launch.log
EOF
  run bash script.sh 1 1
  [ "${lines[0]}" = "slurm.py: error: x.log: task 1 lost its node" ]
  [ "${lines[1]}" = "RuntimeError: none" ]
  [ "${lines[2]}" = "see none" ]
  [ "${lines[3]}" = "RuntimeError: none" ]
  [ "${lines[4]}" = "slurm.py: error: x.log: task 1 exited with status 2 (job 1)" ]
}

@test "done marks hold the settings" {
  cat >>script.sh <<'EOF'
mark_done mark "lr 1"
is_done mark "lr 1" && echo same
is_done mark "lr 2" || echo other
is_done none "lr 1" || echo none
EOF
  run bash script.sh 1 1
  [ "$output" = $'same\nother\nnone' ]
  run compgen -G 'mark.*'
  [ "$status" -eq 1 ]
}

@test "a stage that fails while it follows leaves nobody who could still write" {
  cat >>script.sh <<'EOF'
fails() {
  follow train.log
  run_parallel 1 false a
}
run_stage 1 fails fails
EOF
  # Python reads all that is written before it asks how the script has ended.
  run python3 -c 'import subprocess, sys
done = subprocess.run(["bash", "script.sh", "1", "1"], capture_output=True, timeout=20)
sys.exit(done.returncode)'
  [ "$status" -eq 1 ]
  [[ $output != *Timeout* ]]
}

@test "follow shows the progress of training logs" {
  cat >>script.sh <<'EOF'
mkdir -p exp/full_es
follow exp/full_es/train.log
sleep 0.5
echo "[vm] 2026-01-01 00:00:00,000 (trainer:810) INFO: 1epoch:train:1-5batch: iter_time=0.0, forward_time=2.3, loss=3.794, acc=0.497, backward_time=3.5" >>exp/full_es/train.log
echo "[vm] 2026-01-01 00:00:00,000 (trainer:810) INFO: 2epoch:train:6-9batch: loss_speech_es=9.2acc_speech_es=0.0, loss=4.435, weight_speech_es=0.1, conflicts=1.500, clip=100.0" >>exp/full_es/train.log
echo "[vm] 2026-01-01 00:00:00,000 (trainer:810) INFO: 3epoch:train:1-5batch: loss_speech_es=9.2, loss=1.329, weight_speech_es=0.1, clip=100.0" >>exp/full_es/train.log
sleep 2
unfollow
EOF
  run bash script.sh 1 1
  [[ $output == *"full_es: epoch 1, batches 1-5: loss 3.794, accuracy 0.497"* ]]
  [[ $output == *"full_es: epoch 2, batches 6-9: loss 4.435, layers in conflict 1.500"* ]]
  [[ $output == *"full_es: epoch 3, batches 1-5: loss 1.329"* ]]
  [[ $output != *"="* ]]
}
