#!/usr/bin/env bash
# sentence: a side that has finished still receives the answer of the other one, after many times tcp_fin (every NAT mode, both families, client or server first)
#
# HALF_CLOSED_SECONDS=600 TIMEOUTS= scripts/e2e/half-closed.sh: with the timeouts of the default configuration and ten minutes
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=talk.sh
. "$E2E/talk.sh"

readonly SILENCE=${HALF_CLOSED_SECONDS:-6}
readonly DATAPLANE=${TIMEOUTS-'flow_timeouts = { tcp_fin = "1s", tcp_reset = "1s" }'}
BACKENDS=1

# of_mode MODE PORT: the talks of a mode, one of which the client finishes and one that the server does, in each family.
of_mode() {
  local family first port=$2
  for family in 4 6; do
    for first in client server; do
      talk "$1-$family-$first" "$1" "$family" $((port++))
    done
  done
}

# Sides by the name of the talk.
first() {
  echo "${1##*-}"
}

second() {
  if [[ $(first "$1") == client ]]; then echo server; else echo client; fi
}

half_closed() {
  local name
  configure
  start_penstockd
  names=$(printf '%s\n' "${TALKS[@]}" | cut -d' ' -f1)
  for name in $names; do
    wait_for 10 "$name: the VIP to answer" lab_reaches client "$(talk_vip "$name")" || refute "$name: no VIP"
    talk_begins "$name"
    talk_carries "$name" early
    talk_finishes "$name" "$(first "$name")"
  done
  for name in $names; do
    wait_for 5 "$name: the FIN to be seen" talk_state_is "$name" fin || refute "$name: its FIN is not seen"
  done
  say "$(wc -w <<<"$names") connections are half closed for $SILENCE s"
  sleep "$SILENCE"
  for name in $names; do
    talk_says "$name" "$(second "$name")" late
    talk_gets "$name" "$(first "$name")" late
    talk_finishes "$name" "$(second "$name")"
  done
  for name in $names; do
    wait_for 5 "$name: both ends to be done" talk_is_over "$name" || refute "$name: an end is not done"
    wait_for "${FORGOTTEN_SECONDS:-45}" "$name: the flow to be forgotten" talk_has_no_flow "$name" || refute "$name: its flow stays"
  done
  lab_stop penstockd
  lab_down
}

begin router
of_mode router 9000
of_mode one-arm 9010
half_closed

begin bridge
TALKS=()
of_mode bridge 9020
half_closed
