#!/usr/bin/env bash
# sentence: with SYN cookies real clients get everything, and a flood of the service they use costs them nothing (router, one-arm, bridge)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

readonly FLOWS=65_536 FLOOD_SECONDS=15 SYNS=8000
readonly WEB='.[] | select(.name == "web4")'
readonly DATAPLANE='flow_timeouts = { tcp_syn = "5s", tcp_fin = "2s" }'

write_config() {
  write_node
  service web4 "$VIP4" 80 tcp "$(mode)" 8080 lab_backend4 100 100 100
  service web6 "$VIP6" 80 tcp "$(mode)" 8080 lab_backend6 100 100 100
}

warned() {
  grep -q "$1" "$LAB_DIR/log/penstockd.log"
}

# Of the first SYN-ACK that the client has got in the capture: nothing is promised before the backend is there.
window_is_closed() {
  [[ $(tshark -r "$LAB_DIR/client.pcapng" -n -Y 'tcp.flags == 0x12' -T fields -e tcp.window_size_value 2>/dev/null |
    head -n1) == 0 ]]
}

# Every handshake by cookie: what servers, clients and their options make of it.
always() {
  local vip
  SERVICE_KEYS='syn_proxy = "always"'
  configure 100 100 100
  start_penstockd
  capture client client eth0
  for vip in "$VIP4" "$VIP6"; do
    wait_for 10 "$vip to answer" vip_answers "$vip" || refute "$vip does not answer"
    ab_requests "$vip" 2000 20
    downloads_and_uploads_are_intact "$vip"
  done
  capture_end client
  expect "it was the box that answered" window_is_closed
  checksums_are_right client 5000
  expect "cookies came back" services_show '[.[].syn_proxy | .active and .cookies_taken > 2000 and .not_taken == 0] | all'
  closed_backend_resets
  expect "penstockd still answers" daemon_lives
  lab_stop penstockd
}

# Nobody listens at the backends' ports: the client, whose handshake is over, is told.
closed_backend_resets() {
  local n status=0
  for ((n = 1; n <= BACKENDS; n++)); do
    ip netns exec "$LAB-be$n" nft add table inet closed
    ip netns exec "$LAB-be$n" nft add chain inet closed input '{ type filter hook input priority 0; }'
    ip netns exec "$LAB-be$n" nft add rule inet closed input tcp dport 8080 tcp flags syn reject with tcp reset
  done
  curl_ --output /dev/null "$(url "$VIP4")/" || status=$?
  # Connected and reset, or both before curl has looked.
  ((status == 56 || status == 7)) || refute "a refusal of the backend does not reach the client: curl ends with $status"
  expect "it is counted" services_show "$WEB | .syn_proxy.not_taken > 0"
  for ((n = 1; n <= BACKENDS; n++)); do ip netns exec "$LAB-be$n" nft delete table inet closed; done
}

# A flood of the very service: nobody who exists is refused.
flooded() {
  SERVICE_KEYS='syn_proxy = "auto"'
  configure 100 100 100
  start_penstockd
  wait_for 10 "$VIP4 to answer" vip_answers "$VIP4" || refute "$VIP4 does not answer"
  expect "no cookie without need" services_show "$WEB | .syn_proxy | .cookies_sent == 0 and (.active | not)"
  lab_start client flood python3 "$E2E/../lab/flows.py" flood "$FLOOD_SECONDS" "$SYNS" eth0 "$VIP4" 80
  wait_for 10 "cookies" services_show "$WEB | .syn_proxy.cookies_sent > 0" || refute "nothing is answered by cookie"
  ab_requests "$VIP4" 20000 10 "ab-flood"
  expect "the flood goes on" lab_alive flood
  wait_for 5 "the log to say so" warned 'SYNs are answered by cookie' || refute "the log does not say so"
  expect "the service was refused nothing" services_show "$WEB | [.refused[]] | add == 0"
  expect "it is within its share" services_show "$WEB | .pressure | not"
  wait_for 30 "the flood to end" lab_gone flood
  say "$(<"$LAB_DIR/log/flood.log"); $(penstock --json services | jq -c "$WEB | .syn_proxy")"
  wait_for 30 "the service to be back to normal" services_show "$WEB | .syn_proxy.active | not" || refute "it stays"
  wait_for 10 "the log to say that, too" warned 'back to normal' || refute "the log does not say that it is over"
  expect "penstockd still answers" daemon_lives
}

for topology in router one-arm bridge; do
  begin "$topology"
  web_servers
  always
  flooded
  lab_stop penstockd
  lab_down
done
