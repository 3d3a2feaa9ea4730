#!/usr/bin/env bash
# sentence: 10 000 RSTs and FINs with the right addresses and wrong numbers, from either side, end no connection, and a real end still does (every NAT mode, both families)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=talk.sh
. "$E2E/talk.sh"

# Idle for several times what the end of a connection is remembered for.
readonly IDLE=5
readonly DATAPLANE='flow_timeouts = { tcp_fin = "1s" }'
BACKENDS=1

mac_of() {
  ip -n "$LAB-$1" -json link show dev "$2" | jq -r '.[0].address'
}

# Address and port of an end, apart.
split() {
  local end=${1//[\[\]]/}
  echo "${end%:*} ${end##*:}"
}

# forge NAME: in the name of the client, and in that of the server.
forge() {
  local mode client server outside inside
  mode=$(talk_word "$1" 2)
  client=$(talk_flow "$1" .client)
  server=$(talk_flow "$1" .backend)
  outside=$(mac_of box eth0)
  inside=$(mac_of box eth1)
  # On a bridge the server's frames are addressed to the client.
  [[ $mode != bridge ]] || inside=$(mac_of client eth0)
  # shellcheck disable=SC2046 # address and port
  lab_in client python3 "$E2E/../lab/forge.py" 5000 eth0 "$outside" $(split "$client") "$(talk_vip "$1")" "$(talk_word "$1" 4)"
  # shellcheck disable=SC2046
  lab_in be1 python3 "$E2E/../lab/forge.py" 5000 eth0 "$inside" $(split "$server") $(split "$(talk_flow "$1" '.snat // .client')")
}

attacked() {
  local name names
  configure
  start_penstockd
  names=$(printf '%s\n' "${TALKS[@]}" | cut -d' ' -f1)
  for name in $names; do
    wait_for 10 "$name: the VIP to answer" lab_reaches client "$(talk_vip "$name")" || refute "$name: no VIP"
    talk_begins "$name"
    talk_carries "$name" before
  done
  for name in $names; do
    forge "$name" >/dev/null
    say "$name: $(talk_flow "$name" '"\(.state), \(.packets_in) packets there, \(.packets_out) back"')"
    expect "what was forged has come through" talk_flow "$name" '.packets_in > 4000 and .packets_out > 4000'
  done
  sleep "$IDLE"
  for name in $names; do
    talk_carries "$name" after
    talk_carries "$name" again
    expect "$name is what it was" talk_state_is "$name" established
    talk_finishes "$name" client
    talk_finishes "$name" server
  done
  for name in $names; do
    wait_for 5 "$name: both ends to be done" talk_is_over "$name" || refute "$name: an end is not done"
    wait_for 10 "$name: the flow to be forgotten" talk_has_no_flow "$name" || refute "$name: its flow stays"
  done
  lab_stop penstockd
  lab_down
}

begin router
for family in 4 6; do
  talk "router-$family" router "$family" "900$family"
  talk "one-arm-$family" one-arm "$family" "901$family"
done
attacked

begin bridge
TALKS=()
for family in 4 6; do talk "bridge-$family" bridge "$family" "902$family"; done
attacked
