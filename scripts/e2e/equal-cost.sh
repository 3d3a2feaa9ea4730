#!/usr/bin/env bash
# sentence: replies use both of two routers of equal cost; one that dies with its link up is left out once Linux knows, and one that returns is used again
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=far.sh
. "$E2E/far.sh"

readonly CLIENTS=20

# ask_all ADDRESS_OF VIP: a connection from each of the clients; the number of those that are answered.
ask_all() {
  local n answered=0
  for ((n = 1; n <= CLIENTS; n++)); do
    if far_curl "$("$1" "$n")" "$2"; then answered=$((answered + 1)); fi
  done
  echo "$answered"
}

all_answered() {
  [[ $(ask_all "$1" "$2") == "$CLIENTS" ]]
}

# used ROUTER FAMILY ADDRESS_OF VIP: it carries packets of connections that are made now.
used() {
  local before
  before=$(forwarded "$1" "$2")
  all_answered "$3" "$4" && (($(forwarded "$1" "$2") > before))
}

# Linux has given the router up, or is trying again to reach it.
given_up() {
  ! ip -n "$LAB-box" neighbour show "$1" dev eth1 | grep -Eq 'REACHABLE|STALE|DELAY|PROBE'
}

# both_carry FAMILY ADDRESS_OF VIP GATEWAY
both_carry() {
  local router
  say "$1: both routers"
  wait_for 10 "all clients to be answered" all_answered "$2" "$3" || refute "not all clients are answered"
  for router in r1 r2; do
    wait_for 5 "$router to carry replies" used "$router" "$1" "$2" "$3" || refute "$router carries no replies"
  done

  say "$1: r1 dies, its link stays up"
  ip -n "$LAB-r1" link set eth0 down
  wait_for 15 "Linux to give r1 up" given_up "$4" || refute "the entry of $4 stays"
  wait_for 5 "all clients to be answered" all_answered "$2" "$3" || refute "clients of the dead router are lost"
  far_revive r1
  wait_for 20 "r1 to be used again" used r1 "$1" "$2" "$3" || refute "r1 is not used again"
}

begin one-arm
far_wire "$CLIENTS"
web_servers
# Linux proves its neighbours within seconds, not within a minute.
for family in ipv4 ipv6; do
  lab_in box sysctl -qw "net.$family.neigh.eth1.base_reachable_time_ms=1000" \
    "net.$family.neigh.eth1.delay_first_probe_time=1" "net.$family.neigh.eth1.retrans_time_ms=200" \
    "net.$family.neigh.eth1.interval_probe_time_ms=500"
done
ip -n "$LAB-box" route add "$FAR_NET4" nexthop via "$R1_4" weight 1 nexthop via "$R2_4" weight 1
ip -n "$LAB-box" -6 route add "$FAR_NET6" nexthop via "$R1_6" nexthop via "$R2_6"
configure 100 100 100
start_penstockd
wait_for 10 "the VIP to answer" far_curl "$(far4 1)" "$VIP4" || refute "the VIP does not answer"
both_carry ipv4 far4 "$VIP4" "$R1_4"
both_carry ipv6 far6 "$VIP6" "$R1_6"
expect "both routers are neighbours in use" penstock neighbours
expect "penstockd still answers" daemon_lives
