#!/usr/bin/env bash
# sentence: hosts that the node has never seen connect at the first try, a hundred simultaneously, and their first datagrams are answered, in every mode and both families
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=neighbours.sh
. "$E2E/neighbours.sh"

readonly CLIENTS=100 DATAGRAMS=20

# arrive MODE VIP FIRST_TCP FIRST_UDP WEB_PORT DNS_PORT
arrive() {
  local mode=$1 vip=$2 report
  fresh_addresses "$3" "$CLIENTS"
  report=$(fresh tcp "$vip" "$5" "$3" "$CLIENTS")
  say "$mode $vip tcp: $report"
  expect "all connect at the first try ($mode $vip)" \
    jq -e ".answered == $CLIENTS and .again == 0 and .worst_ms < 500" <<<"$report" >/dev/null
  fresh_addresses "$4" "$DATAGRAMS"
  report=$(fresh udp "$vip" "$6" "$4" "$DATAGRAMS")
  say "$mode $vip udp: $report"
  expect "all first datagrams are answered ($mode $vip)" jq -e ".answered == $DATAGRAMS" <<<"$report" >/dev/null
}

# serve TOPOLOGY
serve() {
  begin "$1"
  web_servers
  dns_servers
  start_penstockd
}

# The host routes by which servers reach the clients' addresses are those of their segment.
begin router
lab_vip_on_loopback "$BACKENDS"
web_servers
dns_servers
decapsulators
declare -rA PORTS=([router]=81 [one-arm]=82 [dsr]=80 [tunnel]=8080) DNS=([router]=153 [one-arm]=253)
write_config() {
  local mode
  write_node
  for mode in "${!PORTS[@]}"; do
    service "$mode-4" "$VIP4" "${PORTS[$mode]}" tcp "$mode" 8080 lab_backend4 "$@"
    service "$mode-6" "$VIP6" "${PORTS[$mode]}" tcp "$mode" 8080 lab_backend6 "$@"
  done
  for mode in "${!DNS[@]}"; do
    service "dns-$mode-4" "$VIP4" "${DNS[$mode]}" udp "$mode" 53 lab_backend4 "$@"
    service "dns-$mode-6" "$VIP6" "${DNS[$mode]}" udp "$mode" 53 lab_backend6 "$@"
  done
  service dns4 "$VIP4" 53 udp dsr 53 lab_backend4 "$@"
  service dns6 "$VIP6" 53 udp dsr 53 lab_backend6 "$@"
}
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
block=0
for mode in router one-arm dsr tunnel; do
  # The node has a route for them, not an address: what counts is that they are on its segment.
  block=$((block + 1))
  ip -n "$LAB-box" route add "10.64.$block.0/24" dev eth0
  arrive "$mode" "$VIP4" "10.64.$block.1" "10.64.$block.150" "${PORTS[$mode]}" "${DNS[$mode]:-53}"
  arrive "$mode" "$VIP6" "fd00::$block:1" "fd00::$block:ff01" "${PORTS[$mode]}" "${DNS[$mode]:-53}"
done
expect "no packet was dropped for want of a neighbour" test "$(neighbour_missing)" = 0
expect "the counters add up" adds_up
lab_down

unset -f write_config
# shellcheck source-path=SCRIPTDIR source=configuration.sh
. <(grep -v '^readonly' "$E2E/configuration.sh")
serve bridge
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
arrive bridge "$VIP4" 10.0.0.120 10.0.0.220 80 53
arrive bridge "$VIP6" fd00::1:1 fd00::1:ff01 80 53
expect "no packet was dropped for want of a neighbour" test "$(neighbour_missing)" = 0
