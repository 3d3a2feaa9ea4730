# shellcheck shell=bash
# What the scenarios share. Each scenario is a script of its own that sources this file, builds a
# lab, and ends with status 0 if its sentence (the line `# sentence:`) is true.
set -euo pipefail

E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$E2E/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../lab/lab.sh
. "$E2E/../lab/lab.sh"
# shellcheck source-path=SCRIPTDIR source=../lab/servers.sh
. "$E2E/../lab/servers.sh"
# shellcheck source-path=SCRIPTDIR source=capture.sh
. "$E2E/capture.sh"

BIN=${PENSTOCK_BIN_DIR:-${CARGO_TARGET_DIR:-$ROOT/target}/release}
BACKENDS=3

say() {
  printf '== %s\n' "$*"
}

# covered MODE FAMILY PROTOCOL: this combination has carried its traffic. For the table of `run`.
covered() {
  printf '%s\n' "$*" >>"${E2E_COVERED:-/dev/null}"
}

# Ends the scenario with the reason.
refute() {
  printf 'REFUTED: %s\n' "$*"
  exit 1
}

# expect WHAT COMMAND...
expect() {
  local what=$1
  shift
  "$@" || refute "$what (failed: $*)"
}

# ---- the lab of a scenario: built at its start, removed at its end

begin() {
  trap finish EXIT
  trap 'exit 130' INT TERM
  lab_up "$1" "$BACKENDS"
  say "lab $LAB ($1) is up"
}

finish() {
  local status=$?
  trap - EXIT
  if ((status)) && [[ -n $LAB_DIR ]]; then
    show_logs
  fi
  if [[ -n ${KEEP:-} && -n $LAB_DIR ]]; then
    lab_keep
  else
    lab_down
  fi
  exit "$status"
}

show_logs() {
  local file
  for file in "$LAB_DIR"/log/*.log; do
    [[ -s $file ]] || continue
    printf -- '---- the end of %s\n' "$(basename "$file")"
    tail -n 25 "$file"
  done
  if lab_alive penstockd; then
    printf -- '---- penstock status, services, neighbours, stats\n'
    for verb in status services neighbours stats; do
      timeout 5 "$BIN/penstock" --socket "$(control_socket)" "$verb" || true
    done
  fi
}

web_servers() {
  local n
  lab_big_file
  for ((n = 1; n <= BACKENDS; n++)); do lab_nginx "$n"; done
}

dns_servers() {
  local n
  for ((n = 1; n <= BACKENDS; n++)); do lab_dnsmasq "$n"; done
}

decapsulators() {
  local n
  [[ -x $BIN/penstock-decap ]] || refute "there is no $BIN/penstock-decap: build it with cargo build --release"
  for ((n = 1; n <= BACKENDS; n++)); do lab_decapsulate "$n"; done
}

# ---- penstockd

control_socket() {
  echo "$LAB_DIR/run/control.sock"
}

config_file() {
  echo "$LAB_DIR/penstock.toml"
}

penstock() {
  lab_in box timeout 10 "$BIN/penstock" --socket "$(control_socket)" "$@"
}

# shellcheck source-path=SCRIPTDIR source=configuration.sh
. "$E2E/configuration.sh"

# A virtual router for VIP4 that has no peer.
vrrp_alone() {
  cat >>"$(config_file)" <<TOML
[[vrrp]]
name = "outside"
interface = "eth0"
vrid = 51
advert_interval = "100ms"
addresses = ["$VIP4"]
TOML
}

start_penstockd() {
  [[ -x $BIN/penstockd ]] || refute "there is no $BIN/penstockd: build it with cargo build --release"
  [[ -f $(config_file) ]] || configure 100 100 100
  lab_start box penstockd "$BIN/penstockd" --config "$(config_file)"
  wait_for 20 "penstockd to answer on its socket" daemon_answers || refute "penstockd does not start"
  [[ $(lab_topology) != bridge ]] || lab_bridge_ready || refute "there is no bridge"
}

daemon_answers() {
  lab_alive penstockd || exit 1 # no use in waiting for the dead
  penstock status
}

# services_show FILTER: a jq condition on `penstock services --json`.
services_show() {
  penstock --json services | jq -e "$1"
}

# received = forwarded + to Linux + to management + dropped, once nothing is in flight.
adds_up() {
  wait_for 5 "the counters to add up" counters_add_up
}

counters_add_up() {
  penstock --json stats |
    jq -e '.frames | .received == .forwarded + .to_linux + .to_management + .dropped' >/dev/null
}

daemon_lives() {
  lab_alive penstockd && penstock status >/dev/null
}

reload_by_signal() {
  kill -s HUP "$(lab_pid penstockd)"
}

# The XDP program's number on a device of the box; nothing if there is none.
xdp_on() {
  ip -n "$LAB-box" -json -details link show dev "$1" | jq -r '.[0].xdp.prog.id // empty'
}

# ---- clients

curl_() {
  lab_in client curl --silent --show-error --fail --globoff --max-time "${CURL_TIME:-60}" --connect-timeout 5 "$@"
}

# An address, or an address with a port as with_port writes it, in a URL.
url() {
  case $1 in
  \[* | *.*) echo "http://$1" ;;
  *) echo "http://[$1]" ;;
  esac
}

with_port() {
  case $1 in
  *:*) echo "[$1]:$2" ;;
  *) echo "$1:$2" ;;
  esac
}

vip_answers() {
  curl_ --max-time 2 "$(url "$1")/" >/dev/null
}

# ab_requests VIP NUMBER CONCURRENCY [NAME]: none may fail. ab's own count of failures and of non-2xx.
# The name is that of its report, for several that run at once.
ab_requests() {
  local report=$LAB_DIR/log/${4:-ab}.log
  lab_in client timeout 120 ab -q -l -s 10 -n "$2" -c "$3" "$(url "$1")/" >"$report" 2>&1 ||
    refute "ab gave up: $(tail -n 3 "$report")"
  expect "all $2 requests are answered" grep -Eq "^Complete requests: +$2\$" "$report"
  expect "no request fails" grep -Eq '^Failed requests: +0$' "$report"
  expect "every answer is 200" test -z "$(grep 'Non-2xx' "$report" || true)"
  say "$(grep 'Requests per second' "$report")"
}
