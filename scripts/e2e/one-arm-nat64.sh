#!/usr/bin/env bash
# sentence: one-arm mode carries web, uploads, DNS and iperf3 from IPv6 clients to IPv4 backends
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

write_config() {
  write_node
  service web "$VIP6" 80 tcp one-arm 8080 lab_backend4 "$@"
  service dns "$VIP6" 53 udp one-arm 53 lab_backend4 100 100 100
  service iperf "$VIP6" 5201 tcp one-arm 5201 lab_backend4 100
}

COVERS=one-arm-nat64
carries_everything one-arm "$VIP6" "$POOL4"
