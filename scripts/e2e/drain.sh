#!/usr/bin/env bash
# sentence: a backend that is drained keeps its download to the end and gets no new connection; frames and flows add up
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# More than a short request takes.
downloading() {
  services_show '.[] | select(.name == "web4") | .packets_in > 200' >/dev/null
}

begin router
web_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
(CURL_TIME=120 curl_ --limit-rate 50M "$(url "$VIP4")/200M" | lab_digest >"$LAB_DIR/downloaded") &
download=$!
wait_for 5 "the download to begin" downloading
for ((n = 1; n <= BACKENDS; n++)); do
  penstock backend drain web4 "$(lab_backend4 "$n"):8080"
done
expect "the service is shown as down" services_show '.[] | select(.name == "web4") | .up == false'
if vip_answers "$VIP4"; then refute "a drained service takes a new connection"; fi
expect "that is a drop with a name" test \
  "$(penstock --json stats | jq '.drops[] | select(.code == "no-backend") | .count > 0')" = true
kill -0 "$download" 2>/dev/null || refute "the download ended too early to prove anything"
wait "$download" || refute "the download broke"
expect "the download is intact" test "$(<"$LAB_DIR/downloaded")" = "$(<"$LAB_DIR/200M.sha256")"
penstock backend enable web4 "$(lab_backend4 1)"
expect "an enabled backend answers again" vip_answers "$VIP4"
if error=$(penstock backend enable web4 10.0.1.99 2>&1); then refute "an unknown backend is accepted"; fi
printf '%s\n' "$error"
expect "flows are listed as the contract has them" test \
  "$(penstock --json flows --service web4 --limit 1 | jq -r '.[0] | [.service, .protocol, .client, .virtual, .backend, .state] | map(type) | unique | join(" ")')" = string
expect "what was received went somewhere" adds_up
