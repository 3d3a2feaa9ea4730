#!/usr/bin/env bash
# sentence: an interface deleted while running does not end the daemon, status says so, and re-created it works again, as soon as its MTU allows
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

status_says_gone() {
  penstock status | grep -Ei 'eth1.*(gone|missing|absent|down)'
}

# answers_at_once: for as long as the interface is tried again in vain.
answers_at_once() {
  local n
  for ((n = 0; n < 10; n++)); do
    timeout 1 "$BIN/penstock" --socket "$(control_socket)" status >/dev/null || return
    sleep 0.3
  done
}

refused_for_its_mtu() {
  grep -q 'MTU of 9000 is too large' "$LAB_DIR/log/penstockd.log"
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

say "eth1 is created again, with an MTU that is too large"
lab_plug sw1 box box spare 02:00:00:00:01:01
ip -n "$LAB-box" link set spare down
ip -n "$LAB-box" link set spare mtu 9000 name eth1
ip -n "$LAB-box" link set eth1 up
lab_address box eth1 10.0.1.1/24 fd00:1::1/64
wait_for 3 "the log to say why eth1 cannot be used" refused_for_its_mtu || refute "the log does not say why"
expect "penstockd answers within a second each time" answers_at_once
expect "the VIP still answers on eth0" lab_in client ping -q -c3 -i0.2 -W2 "$VIP4"
expect "the reason is said once" test "$(grep -c 'MTU of 9000' "$LAB_DIR/log/penstockd.log")" = 1

say "its MTU is corrected"
ip -n "$LAB-box" link set eth1 mtu 1500
wait_for 5 "the VIP to answer again" vip_answers "$VIP4" || refute "eth1 can be used, the VIP does not answer"
ab_requests "$VIP4" 500 20
