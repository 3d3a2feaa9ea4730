#!/usr/bin/env bash
# sentence: after a server is stopped by hand and disabled no new request fails, and enabled again it works again
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly SECOND='.[] | select(.name == "web4") | .backends[] | select(.address == "10.0.1.12")'

begin router
web_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"

lab_stop nginx2
before=$(lab_requests 2)
expect "disable is accepted" penstock backend disable web4 10.0.1.12:8080
expect "services show it" services_show "$SECOND | .admin == \"disabled\" and .state == \"disabled\""
ab_requests "$VIP4" 2000 50
expect "the disabled backend got nothing" test "$(lab_requests 2)" = "$before"

lab_nginx 2
expect "enable is accepted" penstock backend enable web4 10.0.1.12:8080
ab_requests "$VIP4" 2000 50
(($(lab_requests 2) > before)) || refute "the enabled backend gets no request"

say "drain and weight 0 take no new flows either"
expect "drain is accepted" penstock backend drain web4 10.0.1.12:8080
expect "services show it" services_show "$SECOND | .state == \"drain\""
expect "weight is accepted" penstock backend weight web4 10.0.1.13:8080 0
before="$(lab_requests 2) $(lab_requests 3)"
ab_requests "$VIP4" 500 20
expect "only the first backend is used" test "$(lab_requests 2) $(lab_requests 3)" = "$before"

say "what does not exist is refused"
for wrong in "disable web4 10.0.1.99:8080" "disable nosuch 10.0.1.12:8080" "weight web4 10.0.1.12:8080 70000"; do
  # shellcheck disable=SC2086 # several words
  if error=$(penstock backend $wrong 2>&1); then refute "accepted: backend $wrong"; fi
  say "backend $wrong: $error"
  expect "the error says something" test -n "$error"
done
expect "penstockd still answers" daemon_lives
