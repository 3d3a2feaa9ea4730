#!/usr/bin/env bash
# sentence: through each mode and over each family ICMP finds its flow: a path with a smaller MTU is found out, and a closed port is refused
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

BACKENDS=1
readonly MTU=1400

write_config() {
  local mode port=8080
  mode=$(mode)
  keeps_port "$mode" && port=80
  write_node
  service web4 "$VIP4" 80 tcp "$mode" "$port" lab_backend4 100
  service web6 "$VIP6" 80 tcp "$mode" "$port" lab_backend6 100
  service dns4 "$VIP4" 53 udp "$mode" 53 lab_backend4 100
  service dns6 "$VIP6" 53 udp "$mode" 53 lab_backend6 100
}

# As the server sees the client: its own address, or in one-arm mode the pool's.
seen_as() {
  case $(lab_topology)$1 in
  one-arm4) echo "$POOL4" ;;
  one-arm6) echo "$POOL6" ;;
  *4) echo "$REMOTE4" ;;
  *6) echo "$REMOTE6" ;;
  esac
}

for topology in "${MODE_TOPOLOGIES[@]}"; do
  begin "$topology"
  lab_remote "$MTU"
  web_servers
  head -c 5000000 "$LAB_DIR/200M" >"$LAB_DIR/be1/upload/5M"
  [[ $topology != tunnel ]] || decapsulators
  start_penstockd
  for family in 4 6; do
    if ((family == 4)); then vip=$VIP4; else vip=$VIP6; fi
    wait_for 10 "$vip to answer" vip_answers "$vip" || refute "$vip does not answer"
    path_mtu_is_found "$vip" "$(seen_as "$family")" "$MTU"
    closed_port_is_refused "$vip"
  done
  expect "penstockd still answers" daemon_lives
  lab_down
done
