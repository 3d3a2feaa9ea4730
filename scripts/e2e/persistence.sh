#!/usr/bin/env bash
# sentence: a client stays with its server over reloads, is moved when that is drained, and is shown and forgotten on wish
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=choice.sh
. "$(dirname "$0")/choice.sh"

stays_with() {
  local n
  for n in 1 2 3 4 5 6; do
    expect "the client stays with backend $1" test "$(served_by --compressed)" = "$1"
  done
}

begin router
web_servers
export SCHEDULER=rr SERVICE_KEYS='persistence = { timeout = "5m" }'
configure 100 100 100
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
first=$(served_by --compressed)
stays_with "$first"
say "over a reload, with other weights"
configure 50 60 70
reload_by_signal
wait_for 5 "the new weights" services_show '.[] | select(.name == "web4") | .backends[0].weight == 50'
stays_with "$first"
expect "it is listed" test "$(penstock --json persistence --service web4 | jq -r '.[0].server')" = "$(lab_backend4 "$first"):8080"
say "its server is drained"
penstock backend drain web4 "$(backend4 "$first")"
second=$(served_by --compressed)
expect "another one takes it" test "$second" != "$first"
penstock backend enable web4 "$(backend4 "$first")"
stays_with "$second"
say "it is forgotten"
expect "one was" test "$(penstock --json persistence flush --service web4 | jq .forgotten)" = 1
expect "none is left" test "$(penstock --json persistence --service web4)" = "[]"
