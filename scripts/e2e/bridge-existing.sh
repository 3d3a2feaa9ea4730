#!/usr/bin/env bash
# sentence: a bridge that is there already is used as it is, and left as it was, but for a port that is missing, which joins
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# All that may not change about the bridge and its ports, their counters and timers aside.
bridge_as_it_is() {
  ip -n "$LAB-box" -json -details link show master "$BRIDGE" | jq -c '[.[] | [.ifname, .linkinfo.info_slave_data.state]]'
  ip -n "$LAB-box" -json -details link show dev "$BRIDGE" |
    jq -c '.[0] | [.address, (.linkinfo.info_data | .forward_delay, .stp_state, .ageing_time, .mcast_snooping)]'
}

begin bridge
web_servers
lab_bridge_by_hand
ip -n "$LAB-box" link set "$BRIDGE" type bridge ageing_time 12300
before=$(bridge_as_it_is)
start_penstockd
for vip in "$VIP4" "$VIP6"; do
  wait_for 10 "$vip to answer" vip_answers "$vip" || refute "$vip does not answer"
  ab_requests "$vip" 500 20
done
expect "the bridge is as it was" test "$(bridge_as_it_is)" = "$before"
lab_stop penstockd
expect "the bridge is left as it was" test "$(bridge_as_it_is)" = "$before"
expect "it bridges on" lab_reaches near "$FAR4" "$FAR6"

say "eth1 is taken out by hand"
ip -n "$LAB-box" link set eth1 nomaster
start_penstockd
expect "it bridges again" lab_reaches near "$FAR4" "$FAR6"
expect "the bridge is as it was" test "$(bridge_as_it_is)" = "$before"
