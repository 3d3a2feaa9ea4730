#!/usr/bin/env bash
# sentence: neighbours that ask nothing learn at once where the VIPs are: after another MAC, a time down, an interface re-created
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# client_knows VIP MAC: in its neighbour table, as it is.
client_knows() {
  ip -n "$LAB-client" neighbour show "$1" dev eth0 | grep -q "lladdr $2 "
}

# is_announced MAC: the client, which sends nothing, learns it for both families. Only entries that
# are there already follow an announcement.
is_announced() {
  local vip
  for vip in "$VIP4" "$VIP6"; do
    wait_for 4 "the client to learn that $vip is at $1" client_knows "$vip" "$1" || refute "no announcement of $vip"
  done
}

# As if another box had been the last to have the VIPs.
mislead_the_client() {
  local vip
  for vip in "$VIP4" "$VIP6"; do
    ip -n "$LAB-client" neighbour replace "$vip" lladdr 02:00:00:00:00:66 dev eth0 nud stale
  done
}

client_lost_its_carrier() {
  ip -n "$LAB-client" link show eth0 | grep -q 'NO-CARRIER.*state \(LOWERLAYER\)\?DOWN'
}

begin router
mislead_the_client
start_penstockd
say "at the start"
is_announced 02:00:00:00:00:01

say "another MAC"
ip -n "$LAB-box" link set eth0 address 02:00:00:00:00:55
is_announced 02:00:00:00:00:55

say "the interface goes down and comes up"
ip -n "$LAB-box" link set eth0 down
wait_for 5 "the client to lose its carrier, and what it knows" client_lost_its_carrier
mislead_the_client
ip -n "$LAB-box" link set eth0 up
ip -n "$LAB-box" address replace "$BOX6/64" dev eth0 nodad # it went with the link
is_announced 02:00:00:00:00:55

say "the interface is deleted and created again"
ip -n "$LAB-box" link delete eth0
lab_wire client eth0 02:00:00:00:00:02 box eth0 02:00:00:00:00:01
lab_address client eth0 "$CLIENT4/24" "$CLIENT6/64"
mislead_the_client
lab_address box eth0 "$BOX4/24" "$BOX6/64"
is_announced 02:00:00:00:00:01
expect "penstockd still answers" daemon_lives
