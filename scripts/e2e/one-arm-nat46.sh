#!/usr/bin/env bash
# sentence: one-arm mode carries web, uploads, DNS and iperf3 from IPv4 clients to IPv6 backends
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

write_config() {
  write_node
  service web "$VIP4" 80 tcp one-arm 8080 lab_backend6 "$@"
  service dns "$VIP4" 53 udp one-arm 53 lab_backend6 100 100 100
  service iperf "$VIP4" 5201 tcp one-arm 5201 lab_backend6 100
}

COVERS=one-arm-nat46
carries_everything one-arm "$VIP4" "$POOL6"
