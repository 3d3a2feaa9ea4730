#!/usr/bin/env bash
# sentence: the tutorial of a first pair is true: its file starts two nodes, one of which answers, and a failover by hand takes new connections to the other one
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=vrrp.sh
. "$E2E/vrrp.sh"

# from_tutorial: the configuration of the page.
from_tutorial() {
  # shellcheck disable=SC2016 # Markdown's
  sed -n '/^```toml$/,/^```$/p' "$ROOT/docs/src/tutorials/first-pair.md" | sed '/^```/d'
}

# as_box NAMESPACE NAME PRIORITY: the file with what its comments tell to change, and the lab's places.
as_box() {
  mkdir -p "$LAB_DIR/run-$1"
  from_tutorial | sed -e "s/^name = \"lb1\"/name = \"$2\"\nrun_dir = \"${LAB_DIR//\//\\/}\/run-$1\"\nstate_dir = \"${LAB_DIR//\//\\/}\/state-$1\"/" \
    -e "s/^priority = 200/priority = $3/" >"$LAB_DIR/$1.toml"
  printf '\n[dataplane]\ncores = [0]\nflows = 65_536\n' >>"$LAB_DIR/$1.toml"
}

answers() {
  curl_ --max-time 2 "http://$VIP4/" >/dev/null
}

begin pair
for n in 1 2; do
  lab_host sw1 "be$n" "02:00:00:00:01:1$n" "10.0.0.1$n/24" "fd00::1$n/64"
  lab_nginx "$n"
done
as_box box lb1 200
as_box peer lb2 100
for box in box peer; do
  expect "the file is correct" lab_in "$box" "$BIN/penstock" check "$LAB_DIR/$box.toml"
  expect "nothing is in its way" lab_in "$box" "$BIN/penstock" doctor --config "$LAB_DIR/$box.toml" >"$LAB_DIR/log/doctor-$box.log"
  router_start "$box"
done
becomes box master 10
becomes peer backup 10
wait_for 10 "a server to answer" answers || refute "no server answers"

# One connection after another: none but the one that is under way may be lost.
requests() {
  local n failed=0
  for ((n = 0; n < 100; n++)); do answers || failed=$((failed + 1)); done
  echo "$failed"
}
requests >"$LAB_DIR/failed" 2>/dev/null &
load=$!
sleep 0.3
expect "the master hands over" router box vrrp failover outside
becomes peer master 5
wait "$load"
say "$(<"$LAB_DIR/failed") of 100 requests have failed"
(($(<"$LAB_DIR/failed") <= 1)) || refute "$(<"$LAB_DIR/failed") of 100 requests have failed"
expect "the other box has got some" test "$(router peer --json services | jq '.[0].packets_in')" -gt 0
expect "it is in the events" grep -q 'is now vrrp=outside state=master' < <(router peer events)
