#!/usr/bin/env bats

# tools/release.sh in a repository of its own, with stand-ins for uv and pytest.

setup() {
  cd "$BATS_TEST_TMPDIR" || exit
  mkdir -p tools espnet_merge .venv/bin
  cp "$BATS_TEST_DIRNAME/../../tools/release.sh" tools/
  echo '__version__ = "1.2.3"' >espnet_merge/version.py
  echo 'version: 1.2.3' >CITATION.cff
  printf '# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2027-01-31\n\n- This.\n\n## [1.2.2] - 2026-12-01\n' >CHANGELOG.md
  cat >.venv/bin/uv <<'EOF_UV'
#!/usr/bin/env bash
echo "uv $*" >>.venv/calls
if [[ $1 == build ]]; then mkdir dist; touch dist/espnet_merge-1.2.3{.tar.gz,-py3-none-any.whl}; fi
if [[ $1 == tool && -e .venv/invalid ]]; then exit 1; fi
EOF_UV
  printf '#!/usr/bin/env bash\necho "pytest $*" >>.venv/calls\n' >.venv/bin/pytest
  chmod +x .venv/bin/*
  printf '.venv/\ndist/\n' >.gitignore
  git init -q
  git config user.name x
  git config user.email x@example.org
  commit
}

commit() { git add -A && git commit -qm "$RANDOM"; }

refused() { # MESSAGE
  run tools/release.sh --tag
  [ "$status" -eq 2 ]
  [[ $output == *"release.sh: error: $1"* ]]
  [ -z "$(git tag)" ]
}

@test "builds, checks and, if told so, tags" {
  run tools/release.sh
  [ "$status" -eq 0 ]
  [[ $output == *"twine upload dist/espnet_merge-*" ]]
  [ "$(cut -d ' ' -f 1,2 .venv/calls | xargs)" = "uv build uv tool pytest -q" ]
  [ -z "$(git tag)" ]
  run tools/release.sh --tag
  [ "$status" -eq 0 ]
  [ "$(git tag)" = v1.2.3 ]
  run tools/release.sh --tag
  [ "$status" -eq 2 ]
  [[ $output == *"v1.2.3 must be a new version, and is tagged"* ]]
}

@test "version, changelog and citation must agree" {
  echo 'version: 1.2.2' >CITATION.cff && commit
  refused "CITATION.cff must say version 1.2.3; got '1.2.2'."
  sed -i '/1.2.3/d' CHANGELOG.md && commit
  refused "the newest release in CHANGELOG.md must be 1.2.3, as in espnet_merge/version.py; got '1.2.2'."
  echo '__version__ = "1.2"' >espnet_merge/version.py && commit
  refused "the version must be MAJOR.MINOR.PATCH; got '1.2'."
  [ ! -e .venv/calls ]
}

@test "nothing may be left under Unreleased, nor uncommitted" {
  echo >new
  refused "all changes must be committed"
  rm new
  sed -i 's/^## \[Unreleased\]/&\n\n### Added\n\n- That./' CHANGELOG.md && commit
  refused "CHANGELOG.md must have nothing under [Unreleased]; move it to [1.2.3]."
}

@test "metadata that twine refuses is no release" {
  touch .venv/invalid
  refused "the metadata must be valid"
}

@test "an unknown option" {
  run tools/release.sh --upload
  [ "$status" -eq 2 ]
  [ "$output" = "release.sh: error: the only option is --tag; got '--upload'." ]
}
