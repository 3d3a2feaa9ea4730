#!/usr/bin/env bash
# sentence: of two penstockds one answers at any time: no echo is lost by a hand-over, a preemption or a graceful stop, and few when one is killed, hangs or loses its link
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=vrrp.sh
. "$E2E/vrrp.sh"

# pair MAC-MODE ADVERT-INTERVAL VIP
pair() {
  local keys="mac = \"$1\"
advert_interval = \"$2\"
addresses = [\"$3\"]"
  vrrp_config box "$keys
priority = 200"
  vrrp_config peer "$keys
priority = 190"
  router_start box
  becomes box master 10
  router_start peer
  becomes peer backup 10
}

# without_loss WHAT
without_loss() {
  probe_end "$1"
  [[ $LOST == 0 ]] || refute "$1: $LOST echoes were lost, $OUTAGE ms long"
}

# at_most WHAT MILLISECONDS
at_most() {
  probe_end "$1"
  jq -ne "$OUTAGE <= $2" >/dev/null || refute "$1: an outage of $OUTAGE ms, $2 ms are the most"
}

planned() {
  say "$*: hand-over by hand, and back"
  probe_begin "$3"
  router box vrrp failover outside >/dev/null
  becomes peer master 10
  becomes box backup
  router peer vrrp failover outside >/dev/null
  becomes box master 10
  becomes peer backup
  without_loss "hand-over"
  say "$*: graceful stop, and preemption by whoever comes back"
  probe_begin "$3"
  lab_stop penstockd-box
  becomes peer master 10
  router_start box
  becomes box master 10
  becomes peer backup
  without_loss "graceful stop and preemption"
}

# The skew of priority 190 is a quarter of an interval; a scenario is no measurement, so there is room.
unplanned() {
  say "$*: killed"
  probe_begin "$3"
  lab_stop penstockd-box KILL
  becomes peer master
  at_most "kill -9" 150
  router_start box
  becomes box master
  becomes peer backup
  say "$*: stopped, and going on"
  probe_begin "$3"
  kill -s STOP "$(lab_pid penstockd-box)"
  becomes peer master
  at_most "SIGSTOP" 150
  sleep 0.5 # a stall is what is longer than a backup of priority 1 waits
  kill -s CONT "$(lab_pid penstockd-box)"
  becomes box master
  becomes peer backup
  [[ $(router box --json vrrp | jq '.[0].stalls') -ge 1 ]] || refute "the box does not know that it has stood still"
  say "$*: the link of the master"
  probe_begin "$3"
  ip -n "$LAB-box" link set eth0 down
  becomes peer master
  at_most "link down" 450
  becomes box fault
  ip -n "$LAB-box" link set eth0 up
  ip -n "$LAB-box" address replace "$BOX6/64" dev eth0 nodad # it went with the link
  becomes box master
  becomes peer backup
}

begin pair
pair interface 100ms "$VIP4"
planned interface 100ms "$VIP4"
unplanned interface 100ms "$VIP4"
lab_stop penstockd-box
lab_stop penstockd-peer
pair virtual 100ms "$VIP6"
planned virtual 100ms "$VIP6"
unplanned virtual 100ms "$VIP6"
lab_stop penstockd-box
lab_stop penstockd-peer
pair virtual 1s "$VIP4"
planned virtual 1s "$VIP4"
