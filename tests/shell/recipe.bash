# shellcheck shell=bash
# Load me. A tree of its own with the template and a recipe directory, which becomes the
# current one; the commands in it are stand-ins that the test writes.

make_recipe() {
  root=$BATS_TEST_DIRNAME/../..
  tree=$BATS_TEST_TMPDIR/tree
  mkdir -p "$tree"/{conf,tools,egs2/corpus/merge1/utils,.venv/bin}
  cp -r "$root/local" "$tree/local"
  ln -s "$(realpath "$root/espnet_merge")" "$tree/espnet_merge"
  ln -s "$(realpath "$root/.venv/bin/python3")" "$tree/.venv/bin/python3"
  cp -r "$root"/conf/{decode,merge,search,train} "$tree/conf/"
  cp -r "$root/egs2/TEMPLATE" "$tree/egs2/TEMPLATE"
  template=../../TEMPLATE/merge1
  cd "$tree/egs2/corpus/merge1" || exit
  cp $template/{path,cmd}.sh .
  cat >utils/run.pl <<'EOF'
#!/usr/bin/env bash
set -euo pipefail
while [[ $1 == --* ]]; do shift 2; done
mkdir -p "$(dirname "$1")"
status=0
"${@:2}" >"$1" 2>&1 || status=$?
echo "# Ended (code $status)" >>"$1"
exit "$status"
EOF
  chmod +x utils/run.pl
}

# in_place_of_merge: merge.sh becomes what is read, with its own options declared.
in_place_of_merge() {
  local script=$tree/egs2/TEMPLATE/merge1/merge.sh
  {
    echo '#!/usr/bin/env bash'
    sed -n '/^# options/,/^# end of options/p' "$root/egs2/TEMPLATE/merge1/merge.sh"
    cat
  } >"$script.part"
  mv "$script.part" "$script"
  chmod +x "$script"
}
