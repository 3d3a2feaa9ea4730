#!/usr/bin/env bash
# sentence: events tells what has happened to backends, configurations and by whose hand, as it happens and afterwards, whatever the log's filter leaves out
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=choice.sh
. "$(dirname "$0")/choice.sh"

# happened KIND PATTERN: there is such an event.
happened() {
  penstock --json events | jq -e --arg kind "$1" --arg text "$2" 'any(.[]; .kind == $kind and (.text | test($text)))' >/dev/null
}

followed() {
  grep -Eq "$1" "$LAB_DIR/log/follow.log"
}

has_left() {
  ! lab_alive follow
}

# Quiet in the log, and all there for who asks.
export RUST_LOG=error

begin router
web_servers
configure 100 100 100
printf '\n[metrics]\nlisten = "127.0.0.1:9580"\n' >>"$(config_file)"
sed -i 's/^name = "web4"$/&\nhealth = { check = "tcp", interval = "200ms", timeout = "200ms", fall = 2, rise = 1 }/' "$(config_file)"
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
expect "the start is told" happened daemon ready
lab_start box follow "$BIN/penstock" --socket "$(control_socket)" events --follow
wait_for 5 "what was before" followed 'daemon +ready' || refute "the past is not told"

lab_stop nginx1
wait_for 10 "the failure of a backend" followed 'warn +backend +backend is down .*service=web4' || refute "no backend is down"
penstock backend drain web4 "$(backend4 2)" >/dev/null
wait_for 5 "the drain" followed 'admin +.*admin=drain' || refute "the drain is not told"
expect "and who asked for it" happened request 'a change was asked for uid=0 .*method=PATCH'
sed -i 's/weight = 100/weight = 99/' "$(config_file)"
penstock apply "$(config_file)" --confirm 1s >/dev/null
wait_for 10 "the rollback" followed 'configuration +.*not confirmed in time' || refute "the rollback is not told"
expect "what was put in force is told" happened configuration 'in force is now how=apply'
page=$(lab_in box curl --silent --max-time 5 http://127.0.0.1:9580/events)
expect "the page has them too" jq -e 'any(.[]; .kind == "configuration") and all(.[]; .kind != "request" and .kind != "other")' <<<"$page"
last=$(penstock --json events | jq '.[-1].number')
expect "none after the last" test "$(penstock --json events --after "$last")" = '[]'
expect "nothing but errors is in the log" test -z "$(grep -E ' (INFO|WARN) ' "$LAB_DIR/log/penstockd.log" || true)"
lab_stop penstockd TERM
wait_for 5 "the follower to end" has_left || refute "the follower outlives the daemon"
expect "the end is told" followed 'daemon +stopping'
