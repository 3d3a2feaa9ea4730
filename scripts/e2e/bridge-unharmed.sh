#!/usr/bin/env bash
# sentence: a ping flood and a TCP stream between two hosts across the box are unharmed while the daemon starts, reloads, is killed and starts again
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# What crosses the box and is no service's, all the while: near and far know nothing of VIPs.
begin_strangers() {
  lab_start far iperf-far iperf3 --server
  wait_for 10 "iperf3 of far" lab_listens far 5201
  lab_start near flood4 ping -f -i 0.002 "$FAR4"
  lab_start near flood6 ping -f -i 0.002 "$FAR6"
  lab_start near stream iperf3 --client "$FAR4" --time 600 --bitrate 200M --interval 0.2 --forceflush
}

# Of a flood that has ended: nothing lost but what was on its way at the end.
flood_is_whole() {
  local sent received
  lab_stop "$1" INT
  read -r sent received < <(tr '\r' '\n' <"$LAB_DIR/log/$1.log" |
    sed -nE 's/^([0-9]+) packets transmitted, ([0-9]+) received.*/\1 \2/p')
  say "$1: $sent sent, $received answered"
  ((sent > 300)) || refute "$1 has sent only $sent"
  ((sent - received <= ${2:-2})) || refute "$1 lost $((sent - received)) of $sent"
}

stream_is_whole() {
  expect "the stream goes on" lab_alive stream
  lab_stop stream INT
  # Two intervals in a row without a byte are a break; one may be the machine's own.
  awk '/bits\/sec/ && !/sender|receiver/ { n++; if ($5 == "0.00") { zero++; broken += last }; last = $5 == "0.00" }
    END { printf "stream: %d intervals, %d of them empty\n", n, zero; exit n < 10 || broken > 0 }' "$LAB_DIR/log/stream.log" ||
    refute "the stream was interrupted"
}

reloaded() {
  configure "$@"
  penstock reload
}

begin bridge
web_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
say "the daemon ends; what it leaves behind bridges on"
lab_stop penstockd
wait_for 10 "hosts to reach each other" lab_reaches near "$FAR4" "$FAR6" || refute "the bridge went with the daemon"
begin_strangers
sleep 1 # of undisturbed traffic
say "start"
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
ab_requests "$VIP4" 2000 20
say "reload"
expect "the reload is accepted" reloaded 50 100
expect "the reload is accepted" reloaded 100 100 100
ab_requests "$VIP6" 2000 20
say "kill -9"
kill -s KILL "$(lab_pid penstockd)"
lab_stop penstockd KILL
sleep 1 # of traffic without a daemon
say "start again"
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP6" || refute "the VIP does not answer"
ab_requests "$VIP4" 2000 20
flood_is_whole flood4
flood_is_whole flood6
stream_is_whole
