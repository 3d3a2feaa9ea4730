#!/usr/bin/env bash
# sentence: one address of a pool holds 500 000 flows to 16 endpoints at once, and replies of a sample of them come back
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly FLOWS=1_048_576 WANTED=500000 SERVICE_PORT=9000
readonly DATAPLANE='flow_timeouts = { udp = "10m" }'
BACKENDS=1
SOURCES=()
for n in {20..27}; do SOURCES+=("10.0.0.$n"); done

write_config() {
  local port
  write_node
  service many "$VIP4" "$SERVICE_PORT" udp one-arm 9001 lab_backend4
  for port in {9001..9016}; do
    printf '\n[[service.backend]]\naddress = "%s"\nport = %s\n' "$(lab_backend4 1)" "$port"
  done
}

active() {
  penstock --json status | jq .flows.active
}

begin one-arm
for source in "${SOURCES[@]}"; do ip -n "$LAB-client" address add "$source/24" dev eth0; done
lab_start be1 echo python3 "$E2E/../lab/flows.py" answer {9001..9016}
start_penstockd
wait_for 10 "the VIP to answer" lab_reaches client "$VIP4" || refute "the VIP does not answer"
for round in 1 2 3 4 5 6; do
  lab_in client python3 "$E2E/../lab/flows.py" open "$WANTED" eth0 "$VIP4" "$SERVICE_PORT" "${SOURCES[@]}"
  held=$(active)
  say "round $round: $held flows"
  ((held >= WANTED)) && break
done
((held >= WANTED)) || refute "only $held flows are held at once"
expect "the service shows them" services_show ".[0].active_flows >= $WANTED"
say "the memory of the daemon: $(awk '/VmRSS/ { print int($2 / 1024), "MB" }' "/proc/$(lab_pid penstockd)/status")"
lab_in client python3 "$E2E/../lab/flows.py" sample 1000 "$WANTED" "$POOL4" "$VIP4" "$SERVICE_PORT" "${SOURCES[@]}" ||
  refute "replies are lost or come from elsewhere than the pool"
expect "the flows are still held" test "$(active)" -ge "$WANTED"
expect "nothing was refused for want of ports" test "$(penstock --json status | jq .flows.refused)" = 0
