# shellcheck shell=bash
# What the scenarios of health checks share. To be sourced after lib.sh.

# checked KEYS: a configuration of web4 alone, with these checks (more lines of the service) and the backends
# at PORT (8080).
checked() {
  {
    write_node
    SERVICE_KEYS=$1 service web4 "$VIP4" 80 tcp "$(mode)" "${PORT:-8080}" lab_backend4 100 100 100
  } >"$(config_file)"
}

# web4 JQ: a part of the service as the daemon shows it.
web4() {
  penstock --json services web4 | jq -r "$1"
}

# state_is N STATE: of backend N.
state_is() {
  [[ $(web4 ".backends[$(($1 - 1))].state") == "$2" ]]
}

becomes() {
  wait_for "${3:-5}" "backend $1 to be $2" state_is "$1" "$2" ||
    refute "backend $1 is not $2, but $(web4 ".backends[$(($1 - 1))] | .state, .last_result" | xargs)"
}

has_said() {
  web4 ".backends[$(($1 - 1))].last_result" | grep -Eq -- "$2"
}

# says N WORDS: the last result of backend N, as a pattern of grep -E.
says() {
  local said
  wait_for 5 "backend $1 to say '$2'" has_said "$@" ||
    refute "backend $1 says '$(web4 ".backends[$(($1 - 1))].last_result")', not '$2'"
  said=$(web4 ".backends[$(($1 - 1))].last_result")
  say "backend $1: $said"
}

# Not only assumed.
all_up() {
  wait_for 5 "all backends to be found up" all_found_up || refute "not all backends are up: $(web4 '.backends')"
}

all_found_up() {
  [[ $(web4 '[.backends[] | .state == "up" and .checks[0].results > 0] | all') == true ]]
}

now() {
  echo "${EPOCHREALTIME/,/.}"
}

# ---- a client that knocks all the time

knock_begin() {
  lab_start client knock "$E2E/knock.py" "$VIP4" 80 "${1:-5}"
}

# It says what it has seen when it is asked to end.
knock_end() {
  lab_stop knock
}

# Those that began after FROM and failed, or that BACKEND answered, with the seconds after FROM in front.
# knocks_wrong FROM UNTIL BACKEND
knocks_wrong() {
  awk -v from="$1" -v until="$2" -v backend="$3" '
    $1 > from && $1 < until && ($2 != "ok" || $3 == backend) { printf "%.3f %s\n", $1 - from, $0 }
  ' "$LAB_DIR/log/knock.log" | sort -n
}

knocks_of() {
  awk -v from="$1" -v until="$2" '$1 > from && $1 < until { n++ } END { print n + 0 }' "$LAB_DIR/log/knock.log"
}

# ---- ways to fail

# filter N RULE: of what comes in at backend N.
filter() {
  lab_in "be$1" nft -f - <<NFT
table inet failing {
  chain input {
    type filter hook input priority 0;
    $2
  }
}
NFT
}

unfilter() {
  lab_in "be$1" nft delete table inet failing
}

# signal_nginx N SIGNAL: its master and its worker.
signal_nginx() {
  local master
  master=$(lab_pid "nginx$1")
  # shellcheck disable=SC2046 # several numbers
  kill -s "$2" "$master" $(pgrep -P "$master")
}

# fail N HOW, recover N HOW
fail() {
  case $2 in
  stopped)
    # The worker would go on without its master.
    signal_nginx "$1" KILL
    ;;
  filtered) filter "$1" "tcp dport 8080 drop" ;;
  reset) filter "$1" "tcp dport 8080 reject with tcp reset" ;;
  unreachable) filter "$1" "tcp dport 8080 reject with icmpx type port-unreachable" ;;
  frozen) signal_nginx "$1" STOP ;;
  ill) touch "$LAB_DIR/be$1/ill" ;;
  esac
}

recover() {
  case $2 in
  stopped)
    lab_stop "nginx$1"
    lab_nginx "$1"
    ;;
  filtered | reset | unreachable) unfilter "$1" ;;
  frozen) signal_nginx "$1" CONT ;;
  ill) rm "$LAB_DIR/be$1/ill" ;;
  esac
}
