# shellcheck shell=bash
# Source me. Sets the options that the script declares between "# options" and
# "# end of options" from "--name value" pairs; --help prints those lines, and
# "--config FILE" reads lines of "name: value". If an option is repeated, the last value
# counts. An option that is true or false may stand alone: "--name" is "--name true".
#
# A line "# of FILE: NAME..." says that a file next to the script declares these options;
# the script has sourced it. A line "# passed on to FILE: NAME..." says that the script
# takes options that another script declares, and passes them on: "${passed_on[@]}". A line
# "# as in FILE: NAME=OPTION..." says by which names another script, ESPnet's, knows them;
# "# not here: NAME...: WHY" which of its options this script cannot have.

_option_error() {
  echo "${0##*/}: error: $1" >&2
  exit 2
}

_block() { sed -n '/^# options/,/^# end of options/p' "$1"; } # FILE

_declared=$(_block "$0" | grep '^[a-z][a-z0-9_]*=' || true)
_passed=" "
passed_on=()
while IFS=: read -r _file _names; do
  for _name in $_names; do
    _line=$(_block "$(dirname "$0")/${_file##* }" | grep "^$_name=") ||
      _option_error "${_file##* } must declare the option '$_name', which is named here."
    _declared+=$'\n'$_line
    if [[ $_file == *passed* ]]; then _passed+="$_name "; fi
  done
done < <(_block "$0" | grep -E '^# (of|passed on to) [a-z_.]+:' || true)

declare -A _known_as=()
while IFS="=" read -r _name _option; do
  _known_as[$_name]=$_option
done < <(_block "$0" | sed -n 's/^# as in [a-z.]*: *//p' | tr -s ' ' '\n')

_is_switch() { # NAME
  local name=${1//-/_}
  grep -qE "^${_known_as[$name]:-$name}=(true|false)( |$)" <<<"$_declared"
}

_set_option() { # NAME VALUE
  local name=${1//-/_}
  name=${_known_as[$name]:-$name}
  local why
  why=$(_block "$0" | sed -nE "s/^# not here:( [a-z_0-9]+)* $name( [a-z_0-9]+)*: //p")
  [[ -z $why ]] || _option_error "option '$1' of ESPnet is not one here: $why."
  [[ $'\n'$_declared == *$'\n'"$name="* ]] ||
    _option_error "unknown option '$1'; --help lists the options."
  if _is_switch "$name" && [[ ! $2 =~ ^(true|false)$ ]]; then
    _option_error "option '$1' must be true or false; got '$2'."
  fi
  if [[ $_passed == *" $name "* ]]; then passed_on+=("--$name" "$2"); fi
  printf -v "$name" '%s' "$2"
}

_read_config() { # FILE
  [[ -r $1 ]] || _option_error "--config: '$1' must be a readable file of 'name: value' lines."
  local line
  while IFS= read -r line; do
    [[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
    [[ $line =~ ^([a-z][a-z0-9_]*):[[:space:]]*([^#]*)(#.*)?$ ]] ||
      _option_error "$1: '$line' must be 'name: value'."
    local name=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
    value=${value%"${value##*[![:space:]]}"}
    value=${value#[\"\']}
    _set_option "$name" "${value%[\"\']}"
  done <"$1"
}

while (($#)); do
  case $1 in
    -h | --help)
      sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
      echo '--config # file of lines "name: value"; options after it override it'
      printf '%s\n' "$_declared" | sed 's/^\([a-z0-9_]*\)=/--\1 /'
      for _name in "${!_known_as[@]}"; do echo "--$_name is --${_known_as[$_name]}"; done | sort
      exit 0
      ;;
    --*) ;;
    *) _option_error "unknown argument '$1'; --help lists the options." ;;
  esac
  if [[ ${2---} == --* ]] && _is_switch "${1#--}"; then
    _set_option "${1#--}" true
    shift
    continue
  fi
  (($# >= 2)) || _option_error "option '$1' needs a value; --help lists the options."
  if [[ $1 == --config ]]; then _read_config "$2"; else _set_option "${1#--}" "$2"; fi
  shift 2
done
