#!/usr/bin/env bash
# sentence: a box whose management thread hangs leaves the election, and comes back when it goes on; checks that hang are reported
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=vrrp.sh
. "$E2E/vrrp.sh"

# thread NAME: its number in penstockd of the box.
thread() {
  local task
  for task in /proc/"$(lab_pid penstockd-box)"/task/*; do
    [[ $(<"$task/comm") != "$1" ]] || basename "$task"
  done
}

freeze() {
  lab_start box "freeze-$1" python3 "$E2E/../lab/freeze-thread.py" "$(thread "$1")" 60
  wait_for 5 "$1 to stand still" grep -q frozen "$LAB_DIR/log/freeze-$1.log" || refute "$1 cannot be stopped"
}

checks_are_stalled() {
  [[ $(router box --json status | jq .checks_stalled) == "$1" ]]
}

begin pair
for name in box:200 peer:190; do
  vrrp_config "${name%:*}" "priority = ${name#*:}
advert_interval = \"100ms\"
addresses = [\"$VIP4\", \"10.0.0.101\"]"
done
router_start box
becomes box master 10
router_start peer
becomes peer backup 10

say "the management thread"
probe_begin "$VIP4"
freeze penstockd
becomes peer master 10
probe_end "from one to the other"
# Echoes are answered by workers, so only the hand-over itself shows.
jq -ne "$OUTAGE <= 150" >/dev/null || refute "an outage of $OUTAGE ms"
expect "a new client is answered" lab_in client ping -qc1 -W1 10.0.0.101
expect "the guardian is still there" pgrep -P "$(lab_pid penstockd-box)" -f -- --guard
lab_stop freeze-penstockd
becomes box master 10
becomes peer backup

say "a short hang is none"
transitions=$(router box --json vrrp | jq '.[0].transitions')
freeze penstockd
sleep 3
lab_stop freeze-penstockd
expect "nothing has changed" test "$(router box --json vrrp | jq '.[0].transitions')" = "$transitions"

say "the thread of the health checks"
freeze health
wait_for 10 "status to say so" checks_are_stalled true || refute "nothing says that checks hang"
expect "the box is still master" router_is box master
lab_stop freeze-health
wait_for 5 "status to say so" checks_are_stalled false || refute "checks that go on are not seen"
