#!/usr/bin/env bash
# sentence: every script prints its usage for --help and ends with 0, and refuses unknown arguments with status 2 before it does anything
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# All that a script may run before it has read its arguments. Without cargo, ip, apt-get, mkdir and the like in the path, a script
# that starts its work fails with another status, and changes nothing.
mkdir "$work/bin"
for tool in bash env sed grep dirname basename realpath xargs; do ln -s "$(command -v "$tool")" "$work/bin/$tool"; done

# run SCRIPT ARGUMENT...: output in $work/out and $work/err, the status in $status.
run() {
  status=0
  timeout 10 env -i PATH="$work/bin" "$ROOT/$1" "${@:2}" >"$work/out" 2>"$work/err" </dev/null || status=$?
}

# has_usage FILE SCRIPT: what a user must know before the first run.
has_usage() {
  local text part
  text=$(xargs -d '\n' <"$1")
  for part in "$2" 'Needs ' 'root' 'Takes ' 'Exit status: 0 ' '2 wrong arguments'; do
    [[ $text == *"$part"* ]] || refute "the usage of $2 has no '$part': $(<"$1")"
  done
}

# refuses SCRIPT ARGUMENT...
refuses() {
  run "$@"
  [[ $status == 2 ]] || refute "'$*' ends with $status, 2 is right: $(cat "$work/out" "$work/err")"
  [[ ! -s $work/out ]] || refute "'$*' prints on stdout: $(<"$work/out")"
  has_usage "$work/err" "$1"
}

cd "$ROOT"
mapfile -t scripts < <(find scripts -type f -perm /111 -not -path 'scripts/e2e/*.sh' -not -name '*.py' -not -name '*.init' | sort)
((${#scripts[@]} >= 18)) || refute "only ${#scripts[@]} scripts are found: ${scripts[*]}"
for script in "${scripts[@]}"; do
  for argument in --help -h; do
    run "$script" "$argument"
    [[ $status == 0 ]] || refute "'$script $argument' ends with $status: $(cat "$work/out" "$work/err")"
    [[ ! -s $work/err ]] || refute "'$script $argument' prints on stderr: $(<"$work/err")"
    has_usage "$work/out" "$script"
  done
  refuses "$script" --no-such-flag
  refuses "$script" no-such-argument
done
say "${#scripts[@]} scripts have a usage"

say "arguments are checked one by one"
refuses scripts/test-image serve no-such-part
refuses scripts/e2e/run script-usage no-such-scenario
refuses scripts/bench-deadlines flood=x
refuses scripts/bench-failover 3 100ms 5
refuses scripts/bench-load 0
refuses scripts/stress 10 20
refuses scripts/models no-such-module
refuses scripts/build-image --fresh --fresh
refuses scripts/compare
refuses scripts/lab/lab
refuses scripts/lab/lab down
refuses scripts/lab/lab exec lab1 client
refuses scripts/lab/lab up no-such-topology
refuses scripts/lab/lab list extra
run scripts/lab/lab up --help
[[ $status == 0 ]] || refute "'lab up --help' ends with $status"
