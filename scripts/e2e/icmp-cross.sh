#!/usr/bin/env bash
# sentence: between address families, too, a path with a smaller MTU is found out, and a closed port is refused
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

BACKENDS=1
readonly MTU=1400

write_config() {
  write_node
  service web4 "$VIP4" 80 tcp one-arm 8080 lab_backend6 100
  service web6 "$VIP6" 80 tcp one-arm 8080 lab_backend4 100
  service dns4 "$VIP4" 53 udp one-arm 53 lab_backend6 100
  service dns6 "$VIP6" 53 udp one-arm 53 lab_backend4 100
}

begin one-arm
lab_remote "$MTU"
web_servers
head -c 5000000 "$LAB_DIR/200M" >"$LAB_DIR/be1/upload/5M"
start_penstockd
for vip in "$VIP4" "$VIP6"; do
  wait_for 10 "$vip to answer" vip_answers "$vip" || refute "$vip does not answer"
done
# What the server learns allows for the difference of the headers (RFC 7915 sections 4.2 and 5.2).
path_mtu_is_found "$VIP4" "$POOL6" $((MTU + 20))
path_mtu_is_found "$VIP6" "$POOL4" $((MTU - 20))
closed_port_is_refused "$VIP4"
closed_port_is_refused "$VIP6"
expect "penstockd still answers" daemon_lives
