#!/usr/bin/env bash
# sentence: a plan foretells what it moves; what is applied for a time is taken back unless confirmed, a download goes on meanwhile; rollback and history hold over a restart; the socket for looking takes no changes
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly WEB='.[] | select(.name == "web4") | .backends'

weights_are() {
  services_show "[$WEB | .[].weight] == [$1]"
}

new_file() {
  write_config "$@" >"$LAB_DIR/new.toml"
}

# history_shows FILTER: a jq condition on `penstock history --json`.
history_shows() {
  penstock --json history | jq -e "$1" >/dev/null
}

view() {
  lab_in box curl --silent --max-time 10 --unix-socket "$LAB_DIR/run/view.sock" "$@"
}

begin router
web_servers
configure 100 100 100
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
expect "the start is the first of the history" history_shows 'length == 1 and .[0].how == "start" and .[0].in_force'

say "a plan without the third backend"
new_file 100 100
penstock plan "$LAB_DIR/new.toml"
moved=$(penstock --json plan "$LAB_DIR/new.toml" | jq '.forecast.services[] | select(.service == "web4") | .moved_percent')
say "$moved % of the new flows of web4 would move"
expect "it is about a third" jq -en "$moved > 30 and $moved < 40"
expect "a plan changes nothing" weights_are 100,100,100

say "a download of 200 MB at 20 MB/s begins"
(CURL_TIME=120 curl_ --limit-rate 20M "$(url "$VIP4")/200M" | lab_digest >"$LAB_DIR/downloaded") &
download=$!

say "applied for three seconds, and nobody confirms"
new_file 7 8 9
penstock apply "$LAB_DIR/new.toml" --confirm 3s
expect "it is in force" weights_are 7,8,9
if penstock apply "$LAB_DIR/new.toml" 2>"$LAB_DIR/log/second.log"; then refute "a second one was put on top"; fi
expect "it says what it waits for" grep -q 'penstock confirm' "$LAB_DIR/log/second.log"
expect "the history says that it waits" history_shows '.[-1].confirm_within_seconds != null'
wait_for 10 "the old weights to be back" weights_are 100,100,100 || refute "it was not taken back"
expect "the history says so" history_shows '.[-1].how == "not confirmed: back to 1" and .[-1].in_force'
if penstock rollback 2>/dev/null; then refute "what was not wanted is something to go back to"; fi

say "applied for a minute, and confirmed"
penstock apply "$LAB_DIR/new.toml" --confirm 60s
penstock confirm
expect "it stays" weights_are 7,8,9
expect "nothing waits" history_shows '.[-1].confirm_within_seconds == null'
if penstock confirm 2>/dev/null; then refute "confirmed twice"; fi

say "taken back by hand, to the one before and while it waits"
penstock rollback
expect "the old weights are back" weights_are 100,100,100
penstock apply "$LAB_DIR/new.toml" --confirm 60s
penstock rollback
expect "the old weights are back at once" weights_are 100,100,100

say "the history holds over a restart"
wait "$download" || refute "the download broke"
expect "the download is intact" test "$(<"$LAB_DIR/downloaded")" = "$(<"$LAB_DIR/200M.sha256")"
penstock history
number=$(penstock --json history | jq '[.[] | select(.how == "apply")][0].number')
lab_stop penstockd
start_penstockd
expect "who and by what is still known" history_shows \
  ".[] | select(.number == $number) | .uid == 0 and .user == \"root\" and .how == \"apply\""
penstock history "$number" >"$LAB_DIR/text.toml"
expect "its text is as it was sent" cmp "$LAB_DIR/text.toml" "$LAB_DIR/new.toml"
penstock rollback "$number"
expect "its weights are in force" weights_are 7,8,9
mode=$(stat -c %a "$LAB_DIR"/run/history/*.json | sort -u)
expect "it is closed to others" test "$mode" = 600

say "the socket for looking"
expect "it shows" jq -e '.services > 0' <<<"$(view http://box/v1/status)"
expect "it plans" jq -e '.changes | length > 0' <<<"$(view --data-binary @"$(config_file)" http://box/v1/config/plan)"
status=$(view -X POST -o /dev/null -w '%{http_code}' http://box/v1/reload)
expect "it refuses changes" test "$status" = 403
expect "the log has who asked for that" grep -q 'a change was asked for.*uid=0.*path="\?/v1/reload.*status=403' "$LAB_DIR/log/penstockd.log"
expect "and for what was done" grep -q 'a change was asked for.*path="\?/v1/config/rollback.*status=200' "$LAB_DIR/log/penstockd.log"
expect "penstockd still answers" daemon_lives
