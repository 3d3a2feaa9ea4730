#!/usr/bin/env bash
# sentence: tunnel mode carries web, uploads, DNS and iperf3 over IPv4 to backends behind a router, with the client's own address
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

carries_everything tunnel "$VIP4" "$CLIENT4"
