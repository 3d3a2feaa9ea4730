#!/usr/bin/env bash
# sentence: one-arm mode carries web, uploads, DNS and iperf3 over IPv4 to backends that know no way to the client
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

carries_everything one-arm "$VIP4" "$POOL4"
