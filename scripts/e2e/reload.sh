#!/usr/bin/env bash
# sentence: a download survives a new backend, new weights and a broken file, whose error names line and column
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly WEB='.[] | select(.name == "web4") | .backends'

reached() {
  curl_ "$(url "$VIP4")/" >/dev/null
  (($(lab_requests "$1") > 0))
}

# named_place TEXT LINE: whether the text names this line, and a column.
named_place() {
  grep -Eq "penstock\.toml.*(:$2:[0-9]+|line $2,? column [0-9]+)" <<<"$1"
}

begin router
web_servers
configure 100 100
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"

say "a download of 200 MB at 20 MB/s begins"
(CURL_TIME=120 curl_ --limit-rate 20M "$(url "$VIP4")/200M" | lab_digest >"$LAB_DIR/downloaded") &
download=$!

say "a third backend comes in, by SIGHUP"
configure 100 100 100
reload_by_signal
wait_for 5 "the third backend to be shown" services_show "$WEB | length == 3"
wait_for 10 "the third backend to get requests" reached 3

say "weights change, by penstock reload"
configure 50 100 0
expect "the reload is accepted" penstock reload
wait_for 5 "the weights to be shown" services_show "[$WEB | .[].weight] == [50, 100, 0]"
before=$(lab_requests 3)
ab_requests "$VIP4" 500 20
expect "a backend of weight 0 gets no new request" test "$(lab_requests 3)" = "$before"

say "a file with an error in its syntax is refused"
generation=$(penstock --json status | jq .config_generation)
{
  cat "$(config_file)"
  printf '\n[[service]\n'
} >"$LAB_DIR/broken" && mv "$LAB_DIR/broken" "$(config_file)"
line=$(wc -l <"$(config_file)")
if error=$(penstock reload 2>&1); then refute "the broken file is accepted"; fi
printf '%s\n' "$error"
expect "the error of reload names line $line and a column" named_place "$error" "$line"
if error=$(penstock check "$(config_file)" 2>&1); then refute "penstock check accepts the broken file"; fi
expect "the error of check names line $line and a column" named_place "$error" "$line"
reload_by_signal
named_in_log() { named_place "$(<"$LAB_DIR/log/penstockd.log")" "$line"; }
wait_for 5 "the daemon's log to name line $line and a column" named_in_log
expect "the running configuration goes on" test "$(penstock --json status | jq .config_generation)" = "$generation"
expect "the VIP answers" vip_answers "$VIP4"

kill -0 "$download" 2>/dev/null || refute "the download ended too early to prove anything"
wait "$download" || refute "the download broke"
expect "the download is intact" test "$(<"$LAB_DIR/downloaded")" = "$(<"$LAB_DIR/200M.sha256")"
