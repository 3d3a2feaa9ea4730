#!/usr/bin/env bash
# sentence: clients' handshakes that are refused or not answered take a backend out that its check finds well
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=health.sh
. "$E2E/health.sh"

# The check asks for an echo, which says nothing of the web server.
readonly KEYS='health = { check = "ping", interval = "1s", rise = 4, fall = 1 }
observe = 4'

# handshakes N WHAT: of backend N.
handshakes() {
  web4 ".backends[$(($1 - 1))].handshakes | $2"
}

metric() {
  curl -sS --unix-socket "$(control_socket)" http://localhost/metrics | grep -F "$1"
}

# Clients that wait long enough to ask a second time.
knock_slowly() {
  local n clients=()
  for ((n = 0; n < 48; n++)); do
    lab_in client curl -sS --max-time 2 -o /dev/null "$(url "$VIP4")/" 2>/dev/null &
    clients+=($!)
  done
  for n in "${clients[@]}"; do wait "$n" || true; done
}

BACKENDS=3
begin router
web_servers
checked "$KEYS"
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
all_up
ab_requests "$VIP4" 200 4
for n in 1 2 3; do
  expect "handshakes with backend $n are counted, and timed" test "$(handshakes "$n" .answered)" -gt 20
  expect "none of them has failed" test "$(handshakes "$n" ".refused + .unanswered")" = 0
done
expect "the histogram has them" metric 'backend_handshake_seconds_bucket{service="web4",backend="10.0.1.13:8080",le="+Inf"}'

for how in reset filtered; do
  before=$(handshakes 1 ".refused, .unanswered" | xargs)
  fail 1 "$how"
  knock_slowly
  say "handshakes: $(handshakes 1 "del(.within)" | jq -c)"
  becomes 1 down
  # The check goes on finding it well, and says so.
  expect "its history says why" grep -q 'handshakes of clients in a row failed' <(web4 '.backends[0].history[-1].why')
  say "$how: refused and unanswered before: $before, now: $(handshakes 1 ".refused, .unanswered" | xargs)"
  case $how in
  reset) expect "they were refused" test "$(handshakes 1 .refused)" -ge 4 ;;
  filtered) expect "they were not answered" test "$(handshakes 1 .unanswered)" -ge 4 ;;
  esac
  expect "no client meets it while it is out" ab_requests "$VIP4" 100 4
  recover 1 "$how"
  becomes 1 up 10
done
expect "the others have stayed up" test "$(web4 '[.backends[1:][] | .history[] | select(.state == "down")] | length')" = 0
expect "penstockd still answers" daemon_lives
