#!/usr/bin/env bash
# sentence: a pool that is used up refuses new flows by name, is warned of before, keeps the flows it has, and its ports come back with them
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# One address has 64512 ports towards one server.
readonly FLOWS=262_144 PORTS=64512 FIRST=30000 SERVICE_PORT=9000 SOURCES=(10.0.0.20 10.0.0.21)
readonly DATAPLANE='flow_timeouts = { udp = "15s" }'
BACKENDS=1

write_config() {
  write_node
  service one "$VIP4" "$SERVICE_PORT" udp one-arm 9001 lab_backend4 100
}

active() {
  penstock --json status | jq .flows.active
}

open_flows() {
  lab_in client python3 "$E2E/../lab/flows.py" open "$1" eth0 "$VIP4" "$SERVICE_PORT" "${SOURCES[@]}"
}

refused() {
  penstock --json stats | jq '.drops[] | select(.code == "snat-exhausted") | .count'
}

# Those that were lost on the way are sent once more.
used_up() {
  local before
  before=$(refused)
  open_flows 66000
  (($(active) == PORTS && $(refused) > before))
}

# The first that come, all of which get a port.
first_are_held() {
  open_flows "$FIRST"
  (($(active) == FIRST))
}

forgotten() {
  (($(active) == 0))
}

begin one-arm
for source in "${SOURCES[@]}"; do ip -n "$LAB-client" address add "$source/24" dev eth0; done
lab_start be1 echo python3 "$E2E/../lab/flows.py" answer 9001
start_penstockd
wait_for 10 "the VIP to answer" lab_reaches client "$VIP4" || refute "the VIP does not answer"
wait_for 15 "the first flows to be held" first_are_held || refute "$(active) flows are held, not $FIRST"
wait_for 15 "the pool to be used up" used_up || refute "66000 flows fit where there are $PORTS ports"
wait_for 10 "the log to warn" grep -qi 'WARN.*pool' "$LAB_DIR/log/penstockd.log" || refute "the log does not warn"
lab_in client python3 "$E2E/../lab/flows.py" sample 100 "$FIRST" "$POOL4" "$VIP4" "$SERVICE_PORT" "${SOURCES[@]}" ||
  refute "flows that there are suffer"
wait_for 80 "the flows to be forgotten" forgotten || refute "$(active) flows are left"
wait_for 15 "the pool to be used up again" used_up || refute "it is not: ports got lost"
