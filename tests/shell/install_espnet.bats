#!/usr/bin/env bats
# The installer runs in a copy of tools/, pinned to an archive of two files.

setup() {
  project=$BATS_TEST_TMPDIR/project
  tools=$project/tools
  mkdir "$project"
  mkdir "$tools"
  cp "$BATS_TEST_DIRNAME"/../../tools/*.sh "$tools"
  unset ESPNET_ROOT
  make_archive
  pin_archive
}

make_archive() {
  local tree=$BATS_TEST_TMPDIR/espnet-202611
  archive=$BATS_TEST_TMPDIR/espnet-202611.tar.gz
  mkdir -p "$tree/egs2/TEMPLATE/asr1/utils" "$tree/egs2/big_corpus"
  echo 'Apache' > "$tree/LICENSE"
  echo '#!/usr/bin/perl' > "$tree/egs2/TEMPLATE/asr1/utils/run.pl"
  chmod +x "$tree/egs2/TEMPLATE/asr1/utils/run.pl"
  tar -czf "$archive" -C "$BATS_TEST_TMPDIR" espnet-202611
}

pin_archive() {
  local sum
  sum=$(sha256sum < "$archive")
  sed -i "s/^sha256=.*/sha256=${sum%% *}/" "$tools/install_espnet.sh"
}

# A pip whose download is the file PIP_GIVES, or fails without one.
fake_pip() {
  mkdir -p "$project/.venv/bin"
  cat > "$project/.venv/bin/python" << 'END'
#!/bin/bash
while [ "$1" != --dest ]; do shift; done
cp "$PIP_GIVES" "$2/espnet-202611.tar.gz"
END
  chmod +x "$project/.venv/bin/python"
}

@test "unpacks the scripts and nothing else, executable" {
  run "$tools/install_espnet.sh" "$archive"
  [ "$status" -eq 0 ]
  [ -x "$tools/espnet/egs2/TEMPLATE/asr1/utils/run.pl" ]
  [ -f "$tools/espnet/LICENSE" ]
  [ ! -e "$tools/espnet/egs2/big_corpus" ]
  [ -z "$(ls -A "$tools/downloads")" ]
  [ "$("$tools/espnet_root.sh")" = "$tools/espnet" ]
}

@test "takes a file named relative to the caller" {
  cd "$BATS_TEST_TMPDIR"
  run "$tools/install_espnet.sh" espnet-202611.tar.gz
  [ "$status" -eq 0 ]
}

@test "downloads with the pip of .venv" {
  fake_pip
  PIP_GIVES=$archive run "$tools/install_espnet.sh"
  [ "$status" -eq 0 ]
  [ -x "$tools/espnet/egs2/TEMPLATE/asr1/utils/run.pl" ]
}

@test "does nothing when the pinned version is there" {
  "$tools/install_espnet.sh" "$archive"
  run "$tools/install_espnet.sh" /nonexistent
  [ "$status" -eq 0 ]
  [ -z "$output" ]
}

@test "replaces another version" {
  mkdir -p "$tools/espnet/old"
  echo 'another pin' > "$tools/espnet/SHA256"
  run "$tools/install_espnet.sh" "$archive"
  [ "$status" -eq 0 ]
  [ ! -e "$tools/espnet/old" ]
}

@test "refuses a corrupt download in one line and leaves nothing" {
  fake_pip
  head -c 100 "$archive" > "$BATS_TEST_TMPDIR/truncated"
  PIP_GIVES=$BATS_TEST_TMPDIR/truncated run "$tools/install_espnet.sh"
  [ "$status" -eq 2 ]
  [[ ${lines[-1]} == *"error:"*"is corrupt: its SHA-256 must be"*"run again."* ]]
  [ ! -e "$tools/espnet" ]
  [ -z "$(ls -A "$tools/downloads")" ]
}

@test "keeps the installed version when a new one is corrupt" {
  "$tools/install_espnet.sh" "$archive"
  sed -i "s/^sha256=.*/sha256=new/" "$tools/install_espnet.sh"
  run "$tools/install_espnet.sh" "$archive"
  [ "$status" -eq 2 ]
  [ -x "$tools/espnet/egs2/TEMPLATE/asr1/utils/run.pl" ]
}

@test "says what to do without network" {
  fake_pip
  PIP_GIVES=/nonexistent run "$tools/install_espnet.sh"
  [ "$status" -eq 2 ]
  [[ ${lines[-1]} == *"could not be downloaded"*"install_espnet.sh FILE"* ]]
}

@test "refuses a file that is not there" {
  run "$tools/install_espnet.sh" /nonexistent
  [ "$status" -eq 2 ]
  [ "${#lines[@]}" -eq 1 ]
}

@test "ESPNET_ROOT replaces the download" {
  ESPNET_ROOT=$BATS_TEST_TMPDIR/espnet-202611 run "$tools/install_espnet.sh"
  [ "$status" -eq 0 ]
  [ ! -e "$tools/espnet" ]
  ESPNET_ROOT=$BATS_TEST_TMPDIR/espnet-202611 run "$tools/espnet_root.sh"
  [ "$output" = "$BATS_TEST_TMPDIR/espnet-202611" ]
}

@test "ESPNET_ROOT without the scripts is refused in one line" {
  ESPNET_ROOT=$BATS_TEST_TMPDIR run "$tools/install_espnet.sh"
  [ "$status" -eq 2 ]
  [ "${#lines[@]}" -eq 1 ]
  [[ $output == *"set ESPNET_ROOT to a checkout"* ]]
}
