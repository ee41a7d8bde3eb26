#!/usr/bin/env bats

setup() {
  root=$BATS_TEST_DIRNAME/../..
  script=$BATS_TEST_TMPDIR/script.sh
  cat >"$script" <<EOF
#!/usr/bin/env bash
# What this script does.
set -euo pipefail
# options
colour=red      # a colour
max_epoch=3     # how many
two_stage=false # twice
# as in asr.sh: asr_colour=colour epochs=max_epoch
# not here: nbpe use_lm: a reason: with "words"
# not here: lm: another one
# end of options
secret=kept
. "$root/local/parse_options.sh"
echo "\$colour|\$max_epoch|\$secret"
if [[ \$two_stage == true ]]; then echo twice; fi
EOF
}

@test "defaults, and options with dashes or underscores" {
  run bash "$script"
  [ "$output" = "red|3|kept" ]
  run bash "$script" --colour "light blue" --max-epoch 5
  [ "$output" = "light blue|5|kept" ]
}

@test "names of another script" {
  run bash "$script" --asr_colour blue --epochs 5
  [ "$output" = "blue|5|kept" ]
  run bash "$script" --help
  [[ $output == *"--asr_colour is --colour"* ]]
}

@test "options of another script that cannot be had are refused with the reason" {
  for option in --nbpe --use_lm --use-lm; do
    run bash "$script" "$option" 3
    [ "$status" -eq 2 ]
    [ "$output" = "script.sh: error: option '${option#--}' of ESPnet is not one here: a reason: with \"words\"." ]
  done
  run bash "$script" --lm 3
  [[ $output == *"not one here: another one." ]]
  run bash "$script" --use 3
  [[ $output == *"unknown option 'use'"* ]]
}

@test "an option that is true or false takes nothing else" {
  run bash "$script" --two_stage true
  [[ $output == *twice ]]
  for word in True 1 yes ""; do
    run bash "$script" --two-stage "$word"
    [ "$status" -eq 2 ]
    [ "$output" = "script.sh: error: option 'two-stage' must be true or false; got '$word'." ]
  done
}

@test "an option that is true or false is true where no value follows" {
  for words in "--two_stage" "--two-stage --max_epoch 5" "--max_epoch 5 --two_stage"; do
    # shellcheck disable=SC2086
    run bash "$script" $words
    [[ $output == *twice ]]
  done
  run bash "$script" --two_stage --max_epoch 5
  [[ $output == "red|5|kept"* ]]
  run bash "$script" --two_stage false
  [ "$output" = "red|3|kept" ]
  run bash "$script" --colour
  [ "$status" -eq 2 ]
}

@test "an empty value is a value" {
  run bash "$script" --colour ""
  [ "$output" = "|3|kept" ]
}

@test "a configuration file, and the last word counts" {
  printf '# a comment\n\ncolour: "dark green"  # why\nmax_epoch: 7\n' >"$BATS_TEST_TMPDIR/c.yaml"
  run bash "$script" --config "$BATS_TEST_TMPDIR/c.yaml" --max_epoch 9
  [ "$output" = "dark green|9|kept" ]
}

@test "help shows the declarations" {
  run bash "$script" --help
  [ "$status" -eq 0 ]
  [[ $output == *"What this script does."* ]]
  [[ $output == *"--config # file of lines "* ]]
  [[ $output == *"--max_epoch 3     # how many"* ]]
}

@test "bad options end with 2 and one line" {
  for words in "--size 3" "--secret x" "colour" "--colour"; do
    # shellcheck disable=SC2086
    run bash "$script" $words
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "script.sh: error: "*"--help lists the options." ]]
  done
}

@test "bad configuration files end with 2" {
  run bash "$script" --config /nonexistent.yaml
  [ "$status" -eq 2 ]
  printf 'colour = red\n' >"$BATS_TEST_TMPDIR/c.yaml"
  run bash "$script" --config "$BATS_TEST_TMPDIR/c.yaml"
  [ "$status" -eq 2 ]
  [[ $output == *"must be 'name: value'"* ]]
  printf 'size: 3\n' >"$BATS_TEST_TMPDIR/c.yaml"
  run bash "$script" --config "$BATS_TEST_TMPDIR/c.yaml"
  [ "$status" -eq 2 ]
  [[ $output == *"unknown option 'size'"* ]]
}

@test "options that other scripts declare: shared ones are set, others are passed on" {
  cat >"$BATS_TEST_TMPDIR/shared.sh" <<'EOF_SHARED'
# options
colour=blue     # a colour that two scripts have
size=3          # not of this script
# end of options
EOF_SHARED
  cat >"$BATS_TEST_TMPDIR/other.sh" <<'EOF_OTHER'
# options
nj=2            # how many at the same time
name=           # a name
secret=         # not passed on
# end of options
EOF_OTHER
  cat >"$script" <<EOF_SCRIPT
#!/usr/bin/env bash
# What this script does.
set -euo pipefail
. "$BATS_TEST_TMPDIR/shared.sh"
# options
max_epoch=3     # how many
# of shared.sh: colour
# passed on to other.sh: nj name
# end of options
. "$root/local/parse_options.sh"
printf '%s|' "\$colour" "\$max_epoch" "\${passed_on[@]}"
EOF_SCRIPT
  run bash "$script"
  [ "$output" = "blue|3|" ]
  printf 'name: "a b"\n' >"$BATS_TEST_TMPDIR/c.yaml"
  run bash "$script" --colour red --config "$BATS_TEST_TMPDIR/c.yaml" --nj 4
  [ "$output" = "red|3|--name|a b|--nj|4|" ]
  run bash "$script" --help
  [[ $output == *"--colour blue     # a colour that two scripts have"* ]]
  [[ $output == *"--nj 2            # how many at the same time"* ]]
  for words in "--size 4" "--secret x"; do
    # shellcheck disable=SC2086
    run bash "$script" $words
    [ "$status" -eq 2 ]
    [[ $output == *"unknown option"* ]]
  done
  sed -i 's/: nj name/: nj names/' "$script"
  run bash "$script"
  [ "$status" -eq 2 ]
  [[ $output == *"other.sh must declare the option 'names', which is named here." ]]
}
