#!/usr/bin/env bash
# sentence: a backend that is drained under load loses no request and ends without a flow
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=choice.sh
. "$(dirname "$0")/choice.sh"

has_flows() {
  (($(figure 1 active_flows) > 20))
}

begin router
web_servers
DATAPLANE='flow_timeouts = { tcp_fin = "1s" }' SCHEDULER=lc configure 100 100 100
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
ab_requests "$VIP4" 30000 50 under-load &
load=$!
wait_for 10 "the first backend to have flows" has_flows
expect "drain is accepted" penstock backend drain web4 "$(backend4 1)"
kill -0 "$load" 2>/dev/null || refute "the load ended too early to prove anything"
wait_for 20 "the drained backend to have no flow" no_flows 1
wait "$load" || refute "a request failed: $(tail -n 5 "$LAB_DIR/log/under-load.log")"
had=$(lab_requests 1)
ab_requests "$VIP4" 500 20
expect "and none comes back" test "$(lab_requests 1)" = "$had"
expect "no flow is left over" no_flows 1
