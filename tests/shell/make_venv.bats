#!/usr/bin/env bats
# `make setup` in a copy of what it reads, with a Python and a uv that note what they are
# asked for, and fail if they are named in FAILS.

setup() {
  unset LOCK MAKEFLAGS MAKEOVERRIDES # of 'make test LOCK=no', which runs this
  project=$BATS_TEST_TMPDIR/project
  mkdir -p "$project"/{tools,.venv/bin}
  cp "$BATS_TEST_DIRNAME"/../../tools/{make_venv,find_python}.sh "$project/tools/"
  cp "$BATS_TEST_DIRNAME"/../../{Makefile,pyproject.toml,constraints.txt} "$project/"
  fake "$project/tools/install_espnet.sh" espnet
  fake "$project/.venv/bin/python" python
  fake "$project/.venv/bin/uv" uv
  cd "$project" || exit
}

fake() { # FILE NAME
  cat > "$1" << END
#!/bin/bash
[[ \$1 == -c ]] || echo "$2 \$* [\$PIP_CONSTRAINT \$UV_CONSTRAINT \$UV_BUILD_CONSTRAINT]" >> asked
[[ \$* != *"\${FAILS:-nothing fails}"* ]]
END
  chmod +x "$1"
}

@test "installs the releases of the lock, uv too, and builds with them" {
  run make setup
  [ "$status" -eq 0 ]
  local lock="[constraints.txt constraints.txt constraints.txt]"
  [[ $(sed -n 1p asked) == "python -m pip install "*" uv $lock" ]]
  [[ $(sed -n 2p asked) == "uv pip install "*"--editable .[dev] $lock" ]]
  [[ $(< asked) != *--upgrade* ]]
}

@test "LOCK=no asks for the newest" {
  LOCK=no run make setup
  [ "$status" -eq 0 ]
  [[ $(sed -n 1p asked) == *" --upgrade uv [  ]" ]]
  [[ $(sed -n 2p asked) == "uv "*" --upgrade --editable .[dev] [  ]" ]]
}

@test "pip takes over from uv with the same lock" {
  FAILS="pip install --python" run make setup
  [ "$status" -eq 0 ]
  [[ $(sed -n 3p asked) == "python -m pip install "*"--editable .[dev] [constraints.txt "* ]]
}

@test "says in one line that nothing could be installed, and tries again" {
  FAILS=install run make setup
  [ "$status" -eq 2 ]
  [[ $output == *"make_venv.sh: error: the packages of pyproject.toml could not be"* ]]
  run make setup
  [ "$status" -eq 0 ]
  grep "^uv pip install" asked
}

@test "a second run does nothing; another LOCK, or lock, installs again" {
  make setup
  : > asked
  make setup
  [[ $(< asked) != *install* ]]
  make setup LOCK=no
  grep "^uv pip install" asked
  : > asked
  make setup
  grep "^uv pip install" asked
  : > asked
  touch -d "+1 minute" constraints.txt
  make setup
  grep "^uv pip install" asked
}

@test "refuses another LOCK in one line" {
  run tools/make_venv.sh maybe
  [ "$status" -eq 2 ]
  [ "$output" = "make_venv.sh: error: LOCK must be yes or no; got 'maybe'." ]
}
