#!/usr/bin/env bash
# sentence: with [metrics] listen the metrics are there over HTTP, also beside connections that nobody uses, and move with traffic, drops, drains and reloads, the page is beside them, and nothing can be changed by that way
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=choice.sh
. "$(dirname "$0")/choice.sh"

readonly LISTEN=127.0.0.1:9580

# public OPTION... PATH: what the address answers.
public() {
  lab_in box curl --silent --show-error --max-time 5 "${@:1:$#-1}" "http://$LISTEN${*: -1}"
}

# metric PATTERN: the sum of the values in lines that begin so. Figures are half a second old at most.
metric() {
  public /metrics | awk -v pattern="^$1" '$0 ~ pattern {sum += $NF} END {printf "%.0f\n", sum}'
}

moves() {
  (($(metric "$1") > $2))
}

is() {
  [[ $(metric "$1") == "$2" ]]
}

begin router
web_servers
configure 100 100 100
printf '\n[metrics]\nlisten = "%s"\n' "$LISTEN" >>"$(config_file)"
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"

declare -A before
moving=(
  'penstock_frames_received_total' 'penstock_frames_total\{verdict="forwarded"' 'penstock_flows_created_total'
  'penstock_service_packets_in_total\{service="web4"' 'penstock_service_bytes_in_total\{service="web4"'
  'penstock_service_packets_out_total\{service="web4"' 'penstock_service_bytes_out_total\{service="web4"'
  'penstock_backend_flows_total\{service="web4"' 'penstock_backend_packets_in_total\{service="web4"'
  'penstock_backend_bytes_in_total\{service="web4"' 'penstock_backend_handshakes_total\{service="web4"'
  'penstock_backend_handshake_seconds_count\{service="web4"' 'penstock_interface_packets_total'
  'penstock_drops_total\{reason="unknown-port"'
)
for name in "${moving[@]}"; do before[$name]=$(metric "$name"); done
for ((n = 0; n < 10; n++)); do curl_ "$(url "$VIP4")/" >/dev/null; done
lab_in client curl --silent --max-time 1 "http://$VIP4:81/" >/dev/null && refute "there is no service at port 81"
for name in "${moving[@]}"; do
  wait_for 5 "$name to move" moves "$name" "${before[$name]}" || refute "$name stays at ${before[$name]}"
done

expect "all backends are up" is 'penstock_backend_state\{service="web4".*state="up"' "$BACKENDS"
penstock backend drain web4 "$(backend4 1)" >/dev/null
wait_for 5 "the drain" is 'penstock_backend_state\{service="web4".*state="drain"' 1 || refute "no backend drains"
generation=$(metric penstock_config_generation)
sed -i 's/weight = 100/weight = 99/' "$(config_file)"
penstock reload >/dev/null
wait_for 5 "the reload" moves penstock_config_generation "$generation" || refute "no new configuration"

say "connections that nobody uses"
lab_start box silent python3 -c '
import socket, sys, time
host, port = sys.argv[1].split(":")
held = [socket.create_connection((host, int(port))) for _ in range(40)]
for connection in held[::2]: connection.sendall(b"GET /metrics HT")
print("held", flush=True)
time.sleep(300)' "$LISTEN"
wait_for 10 "forty connections" grep -q held "$LAB_DIR/log/silent.log"
for ((n = 0; n < 3; n++)); do
  expect "a scrape is answered beside them" public --output /dev/null --fail /metrics
done
lab_stop silent

expect "the page is there" grep -q '<title>Penstock' < <(public /)
expect "it takes nothing from elsewhere" test "$(public / | grep -cE '(src|href)=')" = 0
for path in /v1/status /v1/flows /v1/config/history; do
  expect "$path is not there" test "$(public --output /dev/null --write-out '%{http_code}' $path)" = 404
done
expect "nothing is taken" test "$(public --output /dev/null --write-out '%{http_code}' --request POST /v1/reload)" = 404
expect "nothing is taken" test "$(public --output /dev/null --write-out '%{http_code}' --data x /metrics)" = 405
expect "penstockd still answers" daemon_lives
