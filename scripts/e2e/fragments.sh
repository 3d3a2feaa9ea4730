#!/usr/bin/env bash
# sentence: datagrams larger than the MTU pass whole in both directions, through each mode and over each family
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

BACKENDS=1

# iperf3 wants its control connection and its datagrams at one server.
write_config() {
  local mode
  mode=$(mode)
  write_node
  service dns4 "$VIP4" 53 udp "$mode" 53 lab_backend4 100
  service dns6 "$VIP6" 53 udp "$mode" 53 lab_backend6 100
  service control4 "$VIP4" 5201 tcp "$mode" 5201 lab_backend4 100
  service control6 "$VIP6" 5201 tcp "$mode" 5201 lab_backend6 100
  service data4 "$VIP4" 5201 udp "$mode" 5201 lab_backend4 100
  service data6 "$VIP6" 5201 udp "$mode" 5201 lab_backend6 100
}

big_answer_is_whole() {
  local answer
  answer=$(lab_in client dig +short +notcp +ignore +bufsize=4096 +time=2 +tries=2 "@$1" big.test.penstock TXT) ||
    refute "no big answer from $1"
  ((${#answer} > 2400)) || refute "the big answer from $1 has only ${#answer} characters"
}

# datagrams_pass VIP [-R]: datagrams of 4000 bytes; less than one in a hundred may be lost.
datagrams_pass() {
  local report=$LAB_DIR/log/datagrams.log
  lab_in client timeout 30 iperf3 --client "$1" --udp --length 4000 --bitrate 20M --time 2 --json ${2:+"$2"} \
    >"$report" 2>/dev/null || refute "iperf3 to $1 ${2:-} fails: $(jq -r .error "$report")"
  say "$1 ${2:-}: $(jq -r '.end.sum_received | "\(.packets) datagrams, \(.lost_packets) lost"' "$report")"
  jq -e '.end.sum_received | .packets > 300 and .lost_percent < 1' "$report" >/dev/null || refute "datagrams to $1 ${2:-} are lost"
}

# A fragment that fills the MTU has no room for another header, and is not fragmented again.
client_leaves_room() {
  ip -n "$LAB-client" route add "$VIP4/32" dev eth0 mtu lock 1400
  ip -n "$LAB-client" route add "$VIP6/128" dev eth0 mtu lock 1400
}

# With the VIP on their loopback, servers have to answer datagrams from it, and iperf3 answers from the
# address that it is bound to.
iperf3_servers() {
  local vip
  keeps_port "$(mode)" || { lab_iperf3 1 && return; }
  for vip in "$VIP4" "$VIP6"; do lab_start be1 "iperf-${vip//:/-}" iperf3 --server --bind "$vip"; done
  wait_for 10 "iperf3 of be1" lab_listens be1 5201
}

for topology in "${MODE_TOPOLOGIES[@]}"; do
  begin "$topology"
  lab_dnsmasq 1
  iperf3_servers
  [[ $topology != tunnel ]] || decapsulators
  start_penstockd
  [[ $topology != tunnel ]] || client_leaves_room
  for vip in "$VIP4" "$VIP6"; do
    wait_for 10 "$vip to answer" lab_in client dig +short +time=1 +tries=1 "@$vip" who.test.penstock TXT ||
      refute "$vip does not answer"
    big_answer_is_whole "$vip"
    datagrams_pass "$vip"
    datagrams_pass "$vip" -R
  done
  expect "penstockd still answers" daemon_lives
  lab_down
done
