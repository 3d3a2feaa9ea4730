#!/usr/bin/env bash
# sentence: requests go on at once when the bridge has forgotten where its stations are, and when a port was down
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

begin bridge
web_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
for round in 1 2 3; do
  ip -n "$LAB-box" link set "$BRIDGE" type bridge fdb_flush
  ab_requests "$VIP4" 200 10
done
say "flushed $round times"
ip -n "$LAB-box" link set eth1 down
ip -n "$LAB-box" link set eth1 up
wait_for 10 "hosts to reach each other" lab_reaches near "$FAR4" "$FAR6" || refute "the bridge does not come back"
wait_for 2 "the VIP to answer again" vip_answers "$VIP4" || refute "the VIP waits for the bridge to learn"
ab_requests "$VIP6" 200 10
