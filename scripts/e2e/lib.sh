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

# configure WEIGHT...: writes the configuration file; the weights are those of the web backends, in
# order, as many backends as weights. iperf3 opens two connections that must meet the same server,
# so its service has one backend.
configure() {
  write_config "$@" >"$(config_file)"
}

write_config() {
  local mode web_port=8080
  mode=$(<"$LAB_DIR/topology")
  [[ $mode == router ]] || web_port=80 # DSR keeps the service's port
  write_node
  service web4 "$VIP4" 80 tcp "$mode" "$web_port" lab_backend4 "$@"
  service web6 "$VIP6" 80 tcp "$mode" "$web_port" lab_backend6 "$@"
  service dns4 "$VIP4" 53 udp "$mode" 53 lab_backend4 100 100 100
  service dns6 "$VIP6" 53 udp "$mode" 53 lab_backend6 100 100 100
  service iperf4 "$VIP4" 5201 tcp "$mode" 5201 lab_backend4 100
  service iperf6 "$VIP6" 5201 tcp "$mode" 5201 lab_backend6 100
}

# All but the services. DATAPLANE: more keys for that section. XDP: how the interfaces are driven.
write_node() {
  cat <<TOML
[node]
name = "lab"
run_dir = "$LAB_DIR/run"
cluster = "lab"

[dataplane]
flows = 65_536
${DATAPLANE:-}

[[interface]]
name = "eth0"
xdp = "${XDP:-auto}"
TOML
  [[ $(<"$LAB_DIR/topology") == dsr ]] || printf '\n[[interface]]\nname = "eth1"\nxdp = "%s"\n' "${XDP:-auto}"
}

# service NAME VIP PORT PROTOCOL MODE BACKEND_PORT ADDRESS_OF WEIGHT...
service() {
  local name=$1 vip=$2 port=$3 protocol=$4 mode=$5 backend_port=$6 address_of=$7 n
  shift 7
  cat <<TOML

[[service]]
name = "$name"
address = "$vip"
port = $port
protocol = "$protocol"
mode = "$mode"
scheduler = "${SCHEDULER:-maglev}"
TOML
  for ((n = 1; n <= $#; n++)); do
    printf '\n[[service.backend]]\naddress = "%s"\nweight = %s\n' "$("$address_of" "$n")" "${!n}"
    [[ $mode == dsr ]] || printf 'port = %s\n' "$backend_port"
  done
}

start_penstockd() {
  [[ -x $BIN/penstockd ]] || refute "there is no $BIN/penstockd: build it with cargo build --release"
  [[ -f $(config_file) ]] || configure 100 100 100
  lab_start box penstockd "$BIN/penstockd" --config "$(config_file)"
  wait_for 20 "penstockd to answer on its socket" daemon_answers || refute "penstockd does not start"
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

# An address as it stands in a URL.
url() {
  case $1 in
  *:*) echo "http://[$1]" ;;
  *) echo "http://$1" ;;
  esac
}

vip_answers() {
  curl_ --max-time 2 "$(url "$1")/" >/dev/null
}

# ab_requests VIP NUMBER CONCURRENCY: none may fail. ab's own count of failures and of non-2xx.
ab_requests() {
  local report=$LAB_DIR/log/ab.log
  lab_in client timeout 120 ab -q -l -s 10 -n "$2" -c "$3" "$(url "$1")/" >"$report" 2>&1 ||
    refute "ab gave up: $(tail -n 3 "$report")"
  expect "all $2 requests are answered" grep -Eq "^Complete requests: +$2\$" "$report"
  expect "no request fails" grep -Eq '^Failed requests: +0$' "$report"
  expect "every answer is 200" test -z "$(grep 'Non-2xx' "$report" || true)"
  say "$(grep 'Requests per second' "$report")"
}
