#!/usr/bin/env bats

# Jobs on GPUs: who asks for one, and who gets which.

# shellcheck disable=SC2016 # the scripts here are expanded later
setup() {
  root=$BATS_TEST_DIRNAME/../..
  mkdir -p "$BATS_TEST_TMPDIR"/{bin,a/b/c}
  ln -s "$(realpath "$root/local")" "$BATS_TEST_TMPDIR/local"
  cd "$BATS_TEST_TMPDIR/a/b/c" || exit
  export PATH=$BATS_TEST_TMPDIR/bin:$PATH TMPDIR=$BATS_TEST_TMPDIR
  unset CUDA_VISIBLE_DEVICES
  printf '#!/bin/sh\nprintf "%%s\\n" 0 1 2\n' >"$BATS_TEST_TMPDIR/bin/nvidia-smi"
  printf '#!/bin/sh\necho "$JOB_INPUTS: $*"\n' >"$BATS_TEST_TMPDIR/bin/cmd"
  chmod +x "$BATS_TEST_TMPDIR"/bin/*
  echo "device: cuda  # fast" >gpu.yaml
  echo "batch_size: 4" >cpu.yaml
  # shellcheck source=/dev/null
  . "$root/local/jobs.sh"
}

@test "a job asks for a GPU where its options or its configuration do" {
  export JOB_INPUTS=of
  on_gpu="../../../local/on_gpus.sh 1"
  [ "$(run_job "cmd --mem 4G" x.log merge --device cuda)" = \
    "of: --mem 4G --gpu 1 x.log $on_gpu merge --device cuda" ]
  [ "$(run_job cmd JOB=1:4 x.JOB.log decode --config gpu.yaml)" = \
    "of: --gpu 1 JOB=1:4 x.JOB.log $on_gpu decode --config gpu.yaml" ]
  [ "$(run_job cmd x.log decode --config cpu.yaml --shard JOB/4)" = \
    "of: x.log decode --config cpu.yaml --shard JOB/4" ]
  # An option stands over a configuration.
  for words in "--config gpu.yaml --device cpu" "--device=cpu --config gpu.yaml"; do
    # shellcheck disable=SC2086
    [ "$(run_job cmd x.log decode $words)" = "of: x.log decode $words" ]
  done
}

@test "quoted options of the program that runs jobs stay one word" {
  printf '#!/bin/sh\nprintf "<%%s>" "$@"\n' >"$BATS_TEST_TMPDIR/bin/cmd"
  [ "$(run_job "cmd --sbatch '--qos=long --account=a'" x.log merge)" = \
    "<--sbatch><--qos=long --account=a><x.log><merge>" ]
}

# shellcheck disable=SC2016
gpus() { "$root/local/on_gpus.sh" "$1" bash -c 'echo "$CUDA_VISIBLE_DEVICES"'; }

# hold N NAME: keep N GPUs until the file NAME is there.
# shellcheck disable=SC2016
hold() {
  "$root/local/on_gpus.sh" "$1" bash -c \
    'echo "$CUDA_VISIBLE_DEVICES" >held.'"$2"'; until [[ -e '"$2"' ]]; do sleep 0.1; done' 3>&- &
  until [[ -s held.$2 ]]; do sleep 0.1; done
}

@test "parallel jobs have a GPU each, and share where there are more jobs than GPUs" {
  for name in a b c d; do hold 1 "$name"; done
  [ "$(cat held.*)" = $'0\n1\n2\n0' ]
  [ "$(gpus 2)" = 1,2 ]
  touch b
  until [ "$(gpus 1)" = 1 ]; do sleep 0.1; done
  touch a c d
  wait
  [ "$(gpus 3)" = 0,1,2 ]
}

@test "only GPUs that may be used are" {
  [ "$(CUDA_VISIBLE_DEVICES=2,5 gpus 1)" = 2 ]
  [ "$(CUDA_VISIBLE_DEVICES=2,5 gpus 2)" = 2,5 ]
}

@test "without enough GPUs the command is run as it is" {
  [ "$(CUDA_VISIBLE_DEVICES=7 gpus 2)" = 7 ]
  printf '#!/bin/sh\nexit 9\n' >"$BATS_TEST_TMPDIR/bin/nvidia-smi"
  [ "$(gpus 1)" = "" ]
}
