#!/usr/bin/env bash
# sentence: bridge mode carries web, uploads, DNS and iperf3 over IPv6 between two ports of one segment, with the client's own address
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

carries_everything bridge "$VIP6" "$CLIENT6"
