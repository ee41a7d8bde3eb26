#!/usr/bin/env bats

setup() {
  bin=$BATS_TEST_TMPDIR/bin
  pyenv=$BATS_TEST_TMPDIR/pyenv
  mkdir "$bin"
}

# A Python that answers every program with exit status STATUS.
fake_python() { # FILE STATUS
  mkdir -p "$(dirname "$1")"
  printf '#!/bin/bash\nexit %s\n' "$2" > "$1"
  chmod +x "$1"
}

find_python() {
  env -u PYTHON PATH="$bin:/bin" PYENV_ROOT="$pyenv" HOME=/nonexistent "$@" \
    bash "$BATS_TEST_DIRNAME/../../tools/find_python.sh"
}

# /bin may hold a real Python, which must not decide these tests.
hide_real_pythons() {
  for name in python3.12 python3.13 python3; do
    fake_python "$bin/$name" 1
  done
}

@test "takes python3.12 from PATH first" {
  fake_python "$bin/python3.12" 0
  fake_python "$bin/python3.13" 0
  run find_python
  [ "$status" -eq 0 ]
  [ "$output" = "$bin/python3.12" ]
}

@test "takes python3 when it is of a suitable version" {
  hide_real_pythons
  fake_python "$bin/python3" 0
  run find_python
  [ "$output" = "$bin/python3" ]
}

@test "passes over a pyenv shim that does not run, to pyenv's versions" {
  hide_real_pythons
  fake_python "$pyenv/versions/3.11.7/bin/python3" 0
  fake_python "$pyenv/versions/3.13.0/bin/python3" 0
  run find_python
  [ "$status" -eq 0 ]
  [ "$output" = "$pyenv/versions/3.13.0/bin/python3" ]
}

@test "PYTHON alone counts when it is set" {
  fake_python "$bin/python3.12" 0
  fake_python "$bin/old" 1
  run find_python PYTHON="$bin/old"
  [ "$status" -eq 2 ]
  [[ $output == *"found none in $bin/old;"* ]]
}

@test "says in one line how to get a Python" {
  hide_real_pythons
  run find_python
  [ "$status" -eq 2 ]
  [ "${#lines[@]}" -eq 1 ]
  [[ $output == *"error: Python 3.12 or 3.13"*"apt-get install"*"PYTHON="* ]]
}

@test "takes 3.12 and 3.13, not their neighbours" {
  local real
  real=$(type -P python3)
  for minor in 11 12 13 14; do
    cat > "$bin/python" << END
#!/bin/bash
exec "$real" -c "import sys
sys.version_info, sys.modules['ensurepip'] = (3, $minor), sys
exec(sys.argv[1])" "\$2"
END
    chmod +x "$bin/python"
    run find_python PYTHON="$bin/python"
    case $minor in
      12 | 13) [ "$status" -eq 0 ] ;;
      *) [ "$status" -eq 2 ] ;;
    esac
  done
}
