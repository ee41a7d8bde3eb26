# shellcheck shell=bash
# Source me. Groups of test sets. A group is what an expert is trained for: a language, a
# domain, a dialect or a task. It has the expert's name. A test set belongs to one group or
# to none.

declare -A group_of=() # test set -> its group

# read_groups EXPERTS SETS GROUPS: fill group_of. NAME_test belongs to expert NAME; GROUPS
# declares further sets, as "es=es_phone_test,es_tv_test it=it_tv_test".
read_groups() {
  local name set sets word
  for name in $1; do
    if [[ " $2 " == *" ${name}_test "* ]]; then group_of[${name}_test]=$name; fi
  done
  for word in $3; do
    [[ $word == ?*=?* ]] ||
      fail "--groups must be of NAME=SET,SET, as 'es=es_phone_test'; got '$word'."
    name=${word%%=*}
    [[ " $1 " == *" $name "* ]] ||
      fail "--groups must name experts, which are '$1'; got '$name' in '$word'."
    IFS=, read -ra sets <<<"${word#*=}"
    for set in "${sets[@]}"; do
      [[ " $2 " == *" $set "* ]] ||
        fail "--groups must name test sets, which are '$2'; got '$set' in '$word'."
      [[ ${group_of[$set]:-$name} == "$name" ]] ||
        fail "--groups must give a set to one expert; got '$set' for" \
          "'${group_of[$set]}' and '$name'."
      group_of[$set]=$name
    done
  done
}

# sets_of NAME SET...: the sets that belong to group NAME, or to no group if NAME is empty.
sets_of() {
  local set
  for set in "${@:2}"; do
    if [[ ${group_of[$set]:-} == "$1" ]]; then printf '%s\n' "$set"; fi
  done
}

# names_in_data SPLIT [SUFFIX]: NAME, and the suffix, of each directory data/NAME_SPLIT.
names_in_data() {
  local dir names=()
  for dir in data/*_"$1"; do
    if [[ -d $dir ]]; then names+=("$(basename "$dir" "_$1")${2:-}"); fi
  done
  ((${#names[@]})) ||
    fail "data/ must hold sets NAME_$1; it holds none: 'espnet-merge import' makes them" \
      "(docs/own_corpus.md)."
  echo "${names[*]}"
}

join_by_comma() { (IFS=, && echo "$*"); } # WORD...
