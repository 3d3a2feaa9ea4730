#!/usr/bin/env bash
# sentence: an interface deleted while running does not end the daemon, and status says that it is gone
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
