#!/usr/bin/env bash
# sentence: an interface deleted while running does not end the daemon, status says so, and re-created it works again
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

status_says_gone() {
  penstock status | grep -Ei 'eth1.*(gone|missing|absent|down)'
}

begin router
web_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
ip -n "$LAB-box" link delete eth1
wait_for 5 "status to say that eth1 is gone" status_says_gone || refute "status does not say so"
status_says_gone
expect "penstockd still answers" daemon_lives
expect "the VIP still answers on eth0" lab_in client ping -q -c3 -i0.2 -W2 "$VIP4"
expect "services are still shown" services_show 'length > 0'

say "eth1 is created again"
lab_plug sw1 box box eth1 02:00:00:00:01:01
lab_address box eth1 10.0.1.1/24 fd00:1::1/64
wait_for 15 "the VIP to answer again" vip_answers "$VIP4" || refute "eth1 is back, the VIP is not"
ab_requests "$VIP4" 500 20
