#!/usr/bin/env bash
# sentence: two busy workers share the queues of both interfaces, and replies on any queue find their flow
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# Every worker has received frames.
all_work() {
  penstock --json stats | jq -e '[.workers[].frames.received] | length == 2 and all(. > 0)' >/dev/null
}

DATAPLANE='cores = [0, 1]
poll = "busy"'
begin router
web_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
ab_requests "$VIP4" 2000 20
ab_requests "$VIP6" 2000 20
expect "both workers took frames" all_work
penstock stats
expect "no frame was dropped" test "$(penstock --json stats | jq .frames.dropped)" = 0
expect "what was received went somewhere" adds_up

say "a worker that polls without a pause takes its core"
expect "the poll mode is shown" test "$(penstock --json status | jq -r '.workers[0].poll')" = busy
