#!/usr/bin/env bash
# sentence: a station that claims a virtual IP of the box is told of, counted, and answered by an announcement that brings clients back
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly ROGUE=02:00:00:00:00:66

# disputes VIP: how often it was claimed.
disputes() {
  penstock --json status | jq -r ".disputes[] | select(.address == \"$1\" and .mac == \"$ROGUE\") | .claims"
}

is_disputed() {
  [[ -n $(disputes "$1") ]]
}

# client_knows VIP MAC
client_knows() {
  ip -n "$LAB-client" neighbour show "$1" dev eth0 | grep -q "lladdr $2 "
}

# announces ADDRESS/LENGTH: a host on the client's wire, which says so when its MAC address changes.
announces() {
  ip -n "$LAB-client" link add rogue link eth0 type macvlan mode bridge
  ip -n "$LAB-client" link set rogue netns "$LAB-rogue"
  ip -n "$LAB-rogue" link set rogue up
  ip -n "$LAB-rogue" address add "$1" dev rogue
  lab_in rogue sysctl -qw net.ipv4.conf.rogue.arp_notify=1 net.ipv6.conf.rogue.ndisc_notify=1
  ip -n "$LAB-rogue" link set rogue address "$ROGUE"
}

begin router
lab_namespace rogue
web_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
wait_for 10 "the VIP to answer" vip_answers "$VIP6"
expect "nobody else has them" test "$(penstock --json status | jq '.disputes | length')" = 0
for vip in "$VIP4/24" "$VIP6/64"; do
  announces "$vip"
  vip=${vip%/*}
  say "$vip"
  ip -n "$LAB-client" neighbour replace "$vip" lladdr "$ROGUE" dev eth0 nud stale
  wait_for 5 "the claim to be counted" is_disputed "$vip" || refute "no claim of $vip is seen"
  wait_for 5 "the client to be led back" client_knows "$vip" 02:00:00:00:00:01 || refute "the box does not answer the claim"
  ip -n "$LAB-rogue" link delete rogue
done
expect "the log tells of it once for each" test "$(grep -c 'another station claims' "$LAB_DIR/log/penstockd.log")" = 2
penstock status | grep -q 'Claimed elsewhere: *10.0.0.100, by 02:00:00:00:00:66' || refute "status does not show it: $(penstock status)"
claims=$(lab_in box curl --silent --unix-socket "$(control_socket)" http://box/metrics |
  awk '/^penstock_address_claims_total/ { sum += $2 } END { print sum }')
expect "metrics count them" test "$claims" -ge 2
expect "the VIP answers as before" vip_answers "$VIP4"
expect "penstockd still answers" daemon_lives
