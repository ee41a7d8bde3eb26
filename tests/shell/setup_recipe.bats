#!/usr/bin/env bats

setup() {
  tree=$BATS_TEST_TMPDIR/tree
  mkdir -p "$tree/egs2" "$tree/conf"
  cp -r "$BATS_TEST_DIRNAME/../../egs2/TEMPLATE" "$tree/egs2/"
  cp "$BATS_TEST_DIRNAME/../../conf/slurm.conf" "$tree/conf/"
  cd "$tree" || exit
}

@test "one command makes a recipe directory" {
  run egs2/TEMPLATE/merge1/setup.sh egs2/corpus/merge1
  [ "$status" -eq 0 ]
  [ -x egs2/corpus/merge1/run.sh ]
  [ -e egs2/corpus/merge1/path.sh ]
  [ -f egs2/corpus/merge1/conf/slurm.conf ]
  [ -x egs2/corpus/merge1/local/data.sh ]
  [[ $output == *"espnet-merge import CORPUS"* ]]
}

@test "what exists is kept, and the place is checked" {
  mkdir -p egs2/corpus/merge1
  run egs2/TEMPLATE/merge1/setup.sh egs2/corpus/merge1
  [ "$status" -eq 2 ]
  [[ $output == *"must not exist yet"* ]]
  run egs2/TEMPLATE/merge1/setup.sh elsewhere/corpus/merge1
  [ "$status" -eq 2 ]
  run egs2/TEMPLATE/merge1/setup.sh
  [ "$status" -eq 2 ]
  [[ $output == *"Make a recipe directory"* ]]
}
