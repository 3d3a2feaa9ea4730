#!/usr/bin/env bash
# sentence: of two penstocks that watch each other by BFD the backup follows a master that falls silent within the detection time and its skew, where adverts of a second would take three, and another one than the master's session moves nothing
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=vrrp.sh
. "$E2E/vrrp.sh"

# watched NAMESPACE PRIORITY PEER
watched() {
  vrrp_config "$1" "priority = $2
advert_interval = \"1s\"
addresses = [\"$VIP4\"]
bfd = { peers = [\"$3\"], interval = \"50ms\", multiplier = 3 }"
}

session_is() {
  [[ $(router "$1" --json vrrp | jq -r '.[0].bfd[0].said') == "$2" ]]
}

# session NAMESPACE WORDS
session() {
  wait_for 10 "the session of $1 to be '$2'" session_is "$@" || refute "the session of $1 is not '$2': $(router "$1" --json vrrp)"
}

knows_its_master() {
  [[ $(router peer --json vrrp | jq -r '.[0].master') == "$BOX4" ]]
}

begin pair
watched box 200 "$PEER4"
watched peer 190 "$BOX4"
router_start box
becomes box master 10
router_start peer
becomes peer backup 10
session box "session up"
session peer "session up"

# By its next advert.
wait_for 5 "the backup to know its master" knows_its_master || refute "the backup knows no master"

say "the master's network falls silent"
probe_begin "$VIP4"
ip -n "$LAB-sw1" link set box down
becomes peer master
session peer "no packets for 150ms"
probe_end "link cut"
# 150 ms of detection and a skew of 258 ms; a scenario is no measurement, so there is room.
jq -ne "$OUTAGE <= 600" >/dev/null || refute "an outage of $OUTAGE ms, with adverts alone it would be some 3000"
ip -n "$LAB-sw1" link set box up
becomes box master 10
becomes peer backup 10
session peer "session up"

say "the backup ends: no concern of the master's"
lab_stop penstockd-peer
session box "peer says admin down"
becomes box master
[[ $(router box --json vrrp | jq '.[0].transitions') -le 5 ]] || refute "the master has moved: $(router box --json vrrp)"
