#!/usr/bin/env bash
# sentence: router, one-arm, dsr and tunnel mode carry requests of both families at once, in one configuration
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

# The same three servers behind all four. On their loopback they have the VIP for the modes that leave it
# alone, whose answers Linux on the box routes.
declare -rA PORTS=([router]=81 [one-arm]=82 [dsr]=80 [tunnel]=8080)

write_config() {
  local mode
  write_node
  for mode in "${!PORTS[@]}"; do
    service "$mode-4" "$VIP4" "${PORTS[$mode]}" tcp "$mode" 8080 lab_backend4 "$@"
    service "$mode-6" "$VIP6" "${PORTS[$mode]}" tcp "$mode" 8080 lab_backend6 "$@"
  done
  service dns4 "$VIP4" 53 udp router 53 lab_backend4 "$@"
  service dns6 "$VIP6" 53 udp one-arm 53 lab_backend6 "$@"
}

begin router
lab_vip_on_loopback "$BACKENDS"
web_servers
dns_servers
decapsulators
start_penstockd
jobs=()
for mode in "${!PORTS[@]}"; do
  for vip in "$VIP4" "$VIP6"; do
    target=$(with_port "$vip" "${PORTS[$mode]}")
    wait_for 10 "$target to answer" vip_answers "$target" || refute "$target ($mode) does not answer"
    ab_requests "$target" 3000 20 "ab-$mode-${vip//:/-}" &
    jobs+=($!)
  done
done
dns_answers "$VIP4"
dns_answers "$VIP6"
for job in "${jobs[@]}"; do wait "$job" || refute "not all requests were answered"; done
for mode in "${!PORTS[@]}"; do
  expect "$mode has carried its share" services_show \
    "[.[] | select(.mode == \"$mode\" and .protocol == \"tcp\") | .packets_in > 3000] == [true, true]" >/dev/null
  downloads_and_uploads_are_intact "$(with_port "$VIP4" "${PORTS[$mode]}")"
done
expect "the counters add up" adds_up
