#!/usr/bin/env bash
# sentence: access lists, limits of flows and rates, and thresholds let in what they should, and no reload of them cuts a flow
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly STRANGER4=10.0.0.66
readonly WEB='.[] | select(.name == "web")'

write_config() {
  local n
  write_node
  service web "$VIP4" 80 tcp router '' lab_backend4
  for ((n = 1; n <= BACKENDS; n++)); do
    printf '\n[[service.backend]]\naddress = "%s"\nport = 8080\nupper_threshold = %s\n' "$(lab_backend4 "$n")" "${THRESHOLD:-0}"
  done
}

# with KEY...: a reload with these keys of the service.
with() {
  SERVICE_KEYS=$(printf '%s\n' "$@") configure
  penstock reload >/dev/null || refute "the reload with $* is refused"
}

# from SOURCE: one request.
from() {
  lab_in client curl --silent --fail --max-time 0.9 --interface "$1" "http://$VIP4/" >/dev/null
}

# succeeding NUMBER SOURCE: how many requests of so many.
succeeding() {
  local n good=0
  for ((n = 0; n < $1; n++)); do from "$2" && good=$((good + 1)); done
  echo "$good"
}

refused() {
  penstock --json services | jq "$WEB | .refused[\"$1\"]"
}

begin router
ip -n "$LAB-client" address add "$STRANGER4/24" dev eth0
web_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
(CURL_TIME=120 curl_ --limit-rate 20M "$(url "$VIP4")/200M" | lab_digest >"$LAB_DIR/downloaded") &
download=$!
wait_for 5 "the download to begin" services_show "$WEB | .packets_in > 200"

say "the client's network is denied, but for the client"
with "deny = [\"10.0.0.0/24\"]" "allow = [\"$CLIENT4\"]"
expect "the client is let in" from "$CLIENT4"
if from "$STRANGER4"; then refute "a denied client is let in"; fi
expect "the refusal is counted" test "$(refused denied)" -gt 0
say "everybody is denied"
with 'deny = ["0.0.0.0/0"]'
if from "$CLIENT4"; then refute "a denied client is let in"; fi

say "five new flows a second of one source"
with 'limits = { new_per_second_per_source = 5 }'
good=$(succeeding 5 "$CLIENT4")
expect "a second's worth comes at once" test "$good" = 5
lab_in client python3 -c "
import socket, sys
made = 0
for _ in range(60):
    client = socket.socket(); client.settimeout(0.05); client.bind((sys.argv[1], 0))
    try: client.connect((sys.argv[2], 80)); made += 1
    except OSError: pass
    client.close()
print(made)" "$STRANGER4" "$VIP4" >"$LAB_DIR/made"
say "$(<"$LAB_DIR/made") of 60 connections within three seconds"
expect "a source is held to its rate" test "$(<"$LAB_DIR/made")" -le 25
expect "the refusals are counted" test "$(refused source-rate)" -gt 20

say "no more flows than there are"
with "limits = { flows = 1 }"
if from "$CLIENT4"; then refute "there is a flow more than the limit"; fi
expect "the refusal is counted" test "$(refused service-full)" -gt 0

say "no more flows than one on each backend"
THRESHOLD=1 with ''
expect "no more than one on each gets through" test "$(succeeding 6 "$CLIENT4")" -le "$BACKENDS"
expect "the refusal is counted" test "$(refused backends-full)" -gt 0

say "no limit any more"
with ''
expect "the client is let in" from "$CLIENT4"
wait "$download"
expect "the download of the first minute is whole" cmp "$LAB_DIR/downloaded" "$LAB_DIR/200M.sha256"
expect "penstockd still answers" daemon_lives
