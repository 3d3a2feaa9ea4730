# shellcheck shell=bash
# --help and the arguments of the scripts. Each script sources this file and calls `arguments` before it does anything else.
# The usage text is the comment at the head of the script.

USAGE_SCRIPT=$(realpath -- "$0")
readonly USAGE_SCRIPT

usage() {
  sed -n '2,/^[^#]/{ /^# shellcheck /d; s/^# \{0,1\}//p; }' "$USAGE_SCRIPT"
}

# usage_error REASON: the usage goes to stderr, and the script ends with status 2.
usage_error() {
  printf '%s: %s\n\n' "$(basename "$USAGE_SCRIPT")" "$1" >&2
  usage >&2
  exit 2
}

# arguments [PATTERN...] [...] -- ARGUMENT...: a pattern of bash's =~ for each position, all of them optional. A last pattern `...`
# repeats the one before it.
arguments() {
  local patterns=() argument position=0
  while [[ $1 != -- ]]; do
    patterns+=("$1")
    shift
  done
  shift
  for argument; do
    if [[ $argument == --help || $argument == -h ]]; then
      usage
      exit 0
    fi
  done
  for argument; do
    [[ ${patterns[position]:-} != ... ]] || position=$((position - 1))
    ((position < ${#patterns[@]})) || usage_error "unexpected argument '$argument'"
    [[ $argument =~ ^(${patterns[position]})$ ]] || usage_error "unexpected argument '$argument': ${patterns[position]} is needed here"
    position=$((position + 1))
  done
}

# shellcheck disable=SC2034 # a pattern for the scripts that source this
readonly USAGE_NUMBER='[1-9][0-9]*'
