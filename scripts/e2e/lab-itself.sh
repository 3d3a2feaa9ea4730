#!/usr/bin/env bash
# sentence: without penstockd the labs carry everything straight to a backend, with right checksums
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

BACKENDS=1
for topology in router dsr bridge tunnel; do
  begin "$topology"
  [[ $topology != bridge ]] || lab_bridge_by_hand
  web_servers
  dns_servers
  lab_iperf3 1
  capture client client eth0
  capture backend be1 eth0
  for target in "$(lab_backend4 1)" "$(lab_backend6 1)"; do
    echo_is_answered "$target"
    ab_requests "$target" 1000 50
    downloads_and_uploads_are_intact "$target"
    expect "DNS answers" test \
      "$(lab_in client dig +short +time=2 +tries=1 "@$target" who.test.penstock TXT)" = '"be1"'
    iperf3_runs "$target"
  done
  capture_end client
  capture_end backend
  checksums_are_right client 5000
  checksums_are_right backend 5000
  lab_down
done
