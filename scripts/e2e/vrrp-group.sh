#!/usr/bin/env bash
# sentence: a box that loses one link leaves with its whole sync group at once; a group is handed over as a whole and stays so, and one link that loses adverts moves nothing
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=vrrp.sh
. "$E2E/vrrp.sh"

# A master that falls silent is missed after three seconds of such adverts.
readonly INTERVAL=1s MISSED=3.2

# of_group NAMESPACE: the states of both, and how often they have changed.
of_group() {
  router "$1" --json vrrp | jq -c '[.[] | .state, .transitions]'
}

# both_are NAMESPACE STATE
both_are() {
  [[ $(router "$1" --json vrrp | jq -r 'map(.state) | unique | join(" ")') == "$2" ]]
}

both_become() {
  wait_for 10 "both of $1 to be $2" both_are "$1" "$2" || refute "$1 is not $2: $(of_group "$1")"
}

begin pair
inner_network
for host in box peer; do
  group_config "$host" "$INTERVAL"
  router_start "$host"
done
both_become box master
both_become peer backup

say "the outer link of the master is cut"
probe_begin "$VIP4"
ip -n "$LAB-sw1" link set box down
both_become peer master
both_become box fault
probe_end "link"
# The skew of priority 240 is 63 ms of a second.
jq -ne "$OUTAGE > 0 and $OUTAGE <= 500" >/dev/null || refute "an outage of $OUTAGE ms, 500 are the most"
ip -n "$LAB-sw1" link set box up
both_become box master
both_become peer backup

say "adverts of the inner network are lost, and nothing else"
before=$(of_group box)$(of_group peer)
probe_begin "$VIP4"
for port in box peer; do bridge -n "$LAB-sw2" link set dev "$port" isolated on; done
sleep "$MISSED"
expect "nothing moves" test "$before" = "$(of_group box)$(of_group peer)"
for port in box peer; do bridge -n "$LAB-sw2" link set dev "$port" isolated off; done
probe_end "inner network"
expect "no echo is lost" test "$LOST" = 0

say "the group is handed over, and back"
probe_begin "$VIP4"
router box vrrp failover inside >/dev/null
both_become peer master
both_become box backup
before=$(of_group box)$(of_group peer)
sleep "$MISSED"
expect "it stays so" test "$before" = "$(of_group box)$(of_group peer)"
router peer vrrp failover outside >/dev/null
both_become box master
both_become peer backup
probe_end "hand-over"
expect "no echo is lost" test "$LOST" = 0
