#!/usr/bin/env bash
# sentence: dsr mode carries web, uploads, DNS and iperf3 over IPv6, with right checksums and the client's own address
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

carries_everything dsr "$VIP6" "$CLIENT6"
