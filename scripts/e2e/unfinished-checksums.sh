#!/usr/bin/env bash
# sentence: with the checksum offloads of veth left on, as containers have them, TCP and UDP get through in both families and both ways, whole, and no checksum is wrong on the wire
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

begin router
web_servers
dns_servers
for n in client sw1 be1 be2 be3; do
  for device in $(ip -n "$LAB-$n" -o link show | grep -o '[a-z0-9]*@[a-z0-9]*' | cut -d@ -f1); do
    lab_in "$n" ethtool -K "$device" tx on gso on tso on >/dev/null
  done
done
start_penstockd
for vip in "$VIP4" "$VIP6"; do
  wait_for 10 "$vip to answer" vip_answers "$vip" || refute "$vip does not answer while the sender leaves checksums to a NIC"
  ab_requests "$vip" 200 10
  dns_answers "$vip"
done
# The kernel takes segmentation from the other end of a pair with a program on it.
say "segmentation of the client: $(lab_in client ethtool -k eth0 | grep -w tcp-segmentation-offload:)"
want=$(<"$LAB_DIR/200M.sha256")
capture client client eth0
[[ $(CURL_TIME=60 curl_ "$(url "$VIP4")/200M" | lab_digest) == "$want" ]] || refute "the download is damaged"
head -c 20000000 "$LAB_DIR/200M" >"$LAB_DIR/20M"
upload_is_intact "$VIP4" "$LAB_DIR/20M"
capture_end client
expect "penstockd still answers" daemon_lives
