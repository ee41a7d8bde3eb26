#!/usr/bin/env bash
# Make a release ready, step by step; it uploads nothing.
#
#   tools/release.sh         check version and changelog, build dist/, check what was built
#   tools/release.sh --tag   the same, then tag the commit
#
# The version stands in espnet_merge/version.py, CITATION.cff and the newest heading of
# CHANGELOG.md, "## [1.2.3] - 2027-01-31"; nothing may be left under "## [Unreleased]".
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "release.sh: error: $*" >&2
  exit 2
}

done_with() { echo "release: $*"; }

check_tree() {
  [[ -z $(git status --porcelain) ]] ||
    fail "all changes must be committed; see git status."
  [[ -z $(git tag --list "v$version") ]] ||
    fail "v$version must be a new version, and is tagged; raise it in" \
      "espnet_merge/version.py."
  done_with "$(git rev-parse --short HEAD) has no changes, and v$version is new"
}

# The newest heading of the changelog, and where it says the version that is cited.
check_version() {
  local newest cited
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] ||
    fail "the version must be MAJOR.MINOR.PATCH; got '$version'."
  newest=$(sed -nE 's/^## \[([0-9][^]]*)\] - [0-9]{4}-[0-9]{2}-[0-9]{2}$/\1/p' CHANGELOG.md |
    sed -n 1p)
  [[ $newest == "$version" ]] ||
    fail "the newest release in CHANGELOG.md must be $version, as in" \
      "espnet_merge/version.py; got '${newest:-none}'."
  [[ -z $(sed -n '/^## \[Unreleased\]/,/^## \[[0-9]/{/^##* *\[/!p}' CHANGELOG.md | tr -d '[:space:]') ]] ||
    fail "CHANGELOG.md must have nothing under [Unreleased]; move it to [$version]."
  cited=$(sed -n 's/^version: *//p' CITATION.cff)
  [[ $cited == "$version" ]] ||
    fail "CITATION.cff must say version $version; got '$cited'."
  done_with "version $version in version.py, CHANGELOG.md and CITATION.cff"
}

build() {
  rm -rf dist
  .venv/bin/uv build --quiet --out-dir dist >&2
  local name
  for name in "espnet_merge-$version.tar.gz" "espnet_merge-$version-py3-none-any.whl"; do
    [[ -f dist/$name ]] || fail "dist/$name must have been built; there are:" dist/*
  done
  done_with "dist/* built"
}

check_built() {
  .venv/bin/uv tool run --quiet 'twine>=7,<8' check --strict dist/espnet_merge-* >&2 ||
    fail "the metadata must be valid; see what twine says above."
  done_with "metadata valid"
  .venv/bin/pytest -q tests/packaging >&2 ||
    fail "the wheel must merge in a clean environment; see above."
  done_with "the wheel merges in a clean environment"
}

tag() {
  git tag --annotate "v$version" --message "espnet_merge $version"
  done_with "tagged v$version"
}

list_the_rest() {
  cat <<EOF_REST
What remains:
  make check                              all tests, on this commit
  git push origin v$version
  .venv/bin/uv tool run twine upload dist/espnet_merge-*
EOF_REST
}

version=$(sed -nE 's/^__version__ = "(.*)"$/\1/p' espnet_merge/version.py)
case ${1:-} in
  '' | --tag) ;;
  *) fail "the only option is --tag; got '$1'." ;;
esac
check_version
check_tree
build
check_built
if [[ ${1:-} == --tag ]]; then tag; fi
list_the_rest
