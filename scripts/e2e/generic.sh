#!/usr/bin/env bash
# sentence: behind the driver (xdp = "generic") everything works too, and is shown and warned about
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

XDP=generic
begin router
web_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
ab_requests "$VIP4" 2000 20
expect "the mode is shown" test "$(penstock --json interfaces | jq -r '[.[].xdp] | unique | join(" ")')" = generic
expect "the log warns" grep -q 'WARN.*generic' "$LAB_DIR/log/penstockd.log"
