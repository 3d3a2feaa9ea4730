#!/usr/bin/env bash
# sentence: under 200 questions a second for the VIP, a deleted interface is shown as gone within 3 s, and works again once re-created
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly QUESTIONS_A_SECOND=200 QUESTIONS_TIME=60

# ARP requests (RFC 826) for the VIP by the client, on and on.
ask_for_the_vip() {
  lab_start client questions timeout "$QUESTIONS_TIME" python3 -c '
import socket, sys, time
client, vip, mac, rate = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3].replace(":", "")), int(sys.argv[4])
addresses = [socket.inet_aton(address) for address in (client, vip)]
ethernet = b"\xff" * 6 + mac + b"\x08\x06"
request = b"\0\1\x08\0\6\4\0\1" + mac + addresses[0] + b"\0" * 6 + addresses[1]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
while True:
    wire.send(ethernet + request)
    time.sleep(1 / rate)
' "$CLIENT4" "$VIP4" 02:00:00:00:00:02 "$QUESTIONS_A_SECOND"
}

to_management() {
  penstock --json stats | jq .frames.to_management
}

many_questions() {
  (($(to_management) >= before + QUESTIONS_A_SECOND))
}

status_says_gone() {
  penstock status | grep -Ei 'eth1.*(gone|missing|absent|down)'
}

begin router
web_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
before=$(to_management)
ask_for_the_vip
wait_for 5 "the questions to reach the management thread" many_questions || refute "there is no flood"

say "eth1 is deleted"
ip -n "$LAB-box" link delete eth1
wait_for 3 "status to say that eth1 is gone" status_says_gone || refute "status does not say so"

say "eth1 is created again"
lab_plug sw1 box box eth1 02:00:00:00:01:01
lab_address box eth1 10.0.1.1/24 fd00:1::1/64
wait_for 10 "the VIP to answer again" vip_answers "$VIP4" || refute "eth1 is back, the VIP is not"
expect "the questions go on" lab_alive questions
expect "penstockd still answers" daemon_lives
