#!/usr/bin/env bash
# sentence: a server that goes on with a connection which the node has forgotten learns that at once (one-arm with missing_state = "reset", router by the client; both families)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=talk.sh
. "$E2E/talk.sh"

readonly SERVICE_KEYS='missing_state = "reset"'
BACKENDS=1
readonly NAMES="one-arm-4 one-arm-6 router-4 router-6"

begin router
for family in 4 6; do
  talk "one-arm-$family" one-arm "$family" "900$family"
  talk "router-$family" router "$family" "901$family"
done
configure
start_penstockd
for name in $NAMES; do
  wait_for 10 "$name: the VIP to answer" lab_reaches client "$(talk_vip "$name")" || refute "$name: no VIP"
  talk_begins "$name"
  talk_carries "$name" before
done
lab_stop penstockd
start_penstockd
for name in $NAMES; do
  wait_for 10 "$name: the VIP to answer" lab_reaches client "$(talk_vip "$name")" || refute "$name: no VIP"
  expect "$name: the server knows nothing of it" lab_alive "$name.server"
  talk_says "$name" server after
  wait_for 3 "$name: the server to be reset" lab_gone "$name.server" || refute "$name: the server keeps its connection"
done
expect "penstockd still answers" daemon_lives
