#!/usr/bin/env bash
# sentence: with client_address = "toa" the backend meets TCP option 254 with the client's address and port, and everything is carried
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

SERVICE_KEYS='client_address = "toa"'

write_config() {
  write_node
  service web4 "$VIP4" 80 tcp one-arm 8080 lab_backend4 "$@"
  service web6 "$VIP6" 80 tcp one-arm 8080 lab_backend6 "$@"
}

# toa PORT ADDRESS: the option's bytes, kind 254, with the client's port and address.
toa() {
  python3 -c '
import ipaddress, sys
port, address = int(sys.argv[1]), ipaddress.ip_address(sys.argv[2]).packed
print((bytes([254, 4 + len(address)]) + port.to_bytes(2, "big") + address).hex())' "$1" "$2"
}

# option_is_met ADDRESS VIP PORT: a request from that port, and the options of what reached the backends.
option_is_met() {
  local seen wanted
  capture options be1 eth0
  curl_ --interface "$1" --local-port "$3" --output /dev/null "$(url "$2")/" || refute "no answer"
  curl_ --interface "$1" --upload-file "$LAB_DIR/20M" "$(url "$2")/upload/$RANDOM" || refute "the upload fails"
  capture_end options
  wanted=$(toa "$3" "$1")
  seen=$(tshark -r "$LAB_DIR/options.pcapng" -n -Y 'tcp.option_kind == 254' -T fields -e tcp.options 2>/dev/null)
  [[ $seen == *"$wanted"* ]] || refute "no option $wanted among: $seen"
  say "option $wanted came through"
}

BACKENDS=1
begin one-arm
web_servers
head -c 20000000 "$LAB_DIR/200M" >"$LAB_DIR/20M"
configure 100
start_penstockd
for target in "$VIP4" "$VIP6"; do
  wait_for 10 "$target to answer" vip_answers "$target" || refute "$target does not answer"
  ab_requests "$target" 1000 20
done
option_is_met "$CLIENT4" "$VIP4" 34567
option_is_met "$CLIENT6" "$VIP6" 34568
expect "the uploads are intact" cmp "$LAB_DIR/20M" "$(find "$LAB_DIR/be1/upload" -type f | head -n1)"
expect "penstockd still answers" daemon_lives
