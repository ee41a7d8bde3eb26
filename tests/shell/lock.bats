#!/usr/bin/env bats
# The lock is renewed by a uv that writes what the test says.

setup() {
  unset LOCK MAKEFLAGS MAKEOVERRIDES # of 'make test LOCK=no', which runs this
  project=$BATS_TEST_TMPDIR/project
  mkdir -p "$project"/{tools,.venv/bin}
  cp "$BATS_TEST_DIRNAME"/../../tools/lock.sh "$project/tools/"
  cp "$BATS_TEST_DIRNAME"/../../Makefile "$project/"
  cd "$project" || exit
  printf '%s\n' left==1.0 moved==1.9 stays==3.0 > constraints.txt
  cat > .venv/bin/uv << 'END'
#!/bin/bash
echo "$*" > asked
while [ "$1" != --output-file ]; do shift; done
[ ! -e refused ] && cp resolved "$2"
END
  chmod +x .venv/bin/uv
  printf '%s\n' "came==0.1 ; sys_platform == 'linux'" moved==1.10 stays==3.0 > resolved
}

@test "says what moved, came and left, and writes bare releases" {
  run tools/lock.sh
  [ "$status" -eq 0 ]
  [ "$(tr -s ' ' <<< "$output")" = "came - -> 0.1
left 1.0 -> -
moved 1.9 -> 1.10" ]
  [ "$(< constraints.txt)" = $'came==0.1\nmoved==1.10\nstays==3.0' ]
  [ "$(ls -A .venv)" = bin ]
}

@test "keeps what is locked, or takes the newest" {
  tools/lock.sh
  [[ $(< asked) != *--upgrade* ]]
  run tools/lock.sh --upgrade
  grep -e --upgrade asked
  [ "$output" = "constraints.txt: nothing moved" ]
}

@test "writes no host and no path" {
  tools/lock.sh
  grep -e --no-emit-index-url asked
  grep -e --no-emit-find-links asked
}

@test "begins without a lock" {
  rm constraints.txt
  run tools/lock.sh
  [ "$status" -eq 0 ]
  [ "${#lines[@]}" -eq 3 ]
}

@test "keeps the lock where no releases fit" {
  touch refused
  run tools/lock.sh
  [ "$status" -eq 2 ]
  [[ $output == "lock.sh: error: no releases meet all ranges"* ]]
  [ "$(head -n 1 constraints.txt)" = left==1.0 ]
}

@test "refuses two releases of one package" {
  printf '%s\n' "a==1 ; python_version < '3.13'" "a==2 ; python_version >= '3.13'" > resolved
  run tools/lock.sh
  [ "$status" -eq 2 ]
  [[ $output == *"none does of: a;"* ]]
  [ "$(head -n 1 constraints.txt)" = left==1.0 ]
}

@test "says how to get uv" {
  rm .venv/bin/uv
  run tools/lock.sh
  [ "$status" -eq 2 ]
  [[ $output == *"run 'make setup LOCK=no'"* ]]
}

@test "make upgrade says what moved also when the tests fail" {
  sed -i -E '/^(setup|test):/,/^$/d' Makefile
  printf 'setup:\ntest:\n\t@echo "tests, LOCK=$%s"; false\n' '(LOCK)' >> Makefile
  run make upgrade
  [ "$status" -ne 0 ]
  [[ $output == *"tests, LOCK=yes"*"came"*"-> 0.1"* ]]
}
