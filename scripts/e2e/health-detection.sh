#!/usr/bin/env bash
# sentence: with fall 1 and an interval of 100 ms a backend that fails, in any of six ways, gets no new connection after 300 ms, and no request fails then
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=health.sh
. "$E2E/health.sh"

readonly LIMIT=0.300 # seconds from the failure to the last new flow
readonly WATCHED=1   # seconds after the failure that are looked at

begin router
web_servers
checked 'health = { check = "http", path = "/healthz", interval = "100ms", rise = 1, fall = 1 }'
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
all_up

for how in stopped filtered reset unreachable frozen ill; do
  knock_begin 5
  knocked() { (($(lab_requests 2) > before + 5)); }
  before=$(lab_requests 2)
  wait_for 5 "the backend to get requests" knocked
  fail 2 "$how"
  start=$(now)
  becomes 2 down
  says 2 '.'
  sleep "$WATCHED" # not for luck: the requests of this time are what is looked at
  until=$(now)
  recover 2 "$how"
  becomes 2 up
  knock_end
  wrong=$(knocks_wrong "$start" "$until" be2)
  last=$(tail -n 1 <<<"$wrong")
  say "$how: the last new flow to the failed backend ${last%% *} s after the failure, of $(knocks_of "$start" "$until") requests"
  awk -v last="${last%% *}" -v limit="$LIMIT" 'BEGIN { exit last > limit }' ||
    refute "$how: more than $LIMIT s after $start: $wrong"
done
expect "six failures are in the history" test "$(web4 '[.backends[1].history[] | select(.state == "down")] | length')" = 6
expect "penstockd still answers" daemon_lives
