#!/usr/bin/env bash
# sentence: a guardian that is killed is started anew, and the new one says the last words of a daemon that is killed
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=vrrp.sh
. "$E2E/vrrp.sh"

guardian() {
  pgrep -P "$(lab_pid penstockd-box)" -f -- --guard
}

is_another() {
  local now
  now=$(guardian) && [[ $now != "$1" ]]
}

begin pair
for name in box:200 peer:190; do
  vrrp_config "${name%:*}" "priority = ${name#*:}
advert_interval = \"1s\"
addresses = [\"$VIP4\"]"
done
router_start box
becomes box master 10
router_start peer
becomes peer backup 10

say "the guardian is killed"
first=$(guardian) || refute "there is no guardian"
kill -s KILL "$first"
wait_for 5 "another guardian" is_another "$first" || refute "nobody guards the daemon"
expect "the operator is told" grep -q 'the guardian has ended' "$LAB_DIR/log/penstockd-box.log"

say "and then the daemon"
probe_begin "$VIP4"
lab_stop penstockd-box KILL
becomes peer master
probe_end "kill -9"
# The skew of priority 190 is 258 ms; without last words it would be some 3000.
jq -ne "$OUTAGE <= 600" >/dev/null || refute "an outage of $OUTAGE ms: nobody has spoken"
