#!/usr/bin/env bash
# sentence: an IPv6 virtual IP is found through a switch that brings multicast to members only
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

begin dsr
web_servers
lab_in sw1 ip link set dev br0 type bridge mcast_snooping 1 mcast_querier 1
start_penstockd
group=$(printf 'ff02::1:ff00:%x' $((0x100)))
member() { lab_in box ip -6 maddress show dev eth0 | grep -q "$group"; }
wait_for 5 "the box to join $group" member
lab_in client ip -6 neigh flush dev eth0
wait_for 10 "the VIP to answer" vip_answers "$VIP6" || refute "nobody finds the VIP"
ab_requests "$VIP6" 500 20
