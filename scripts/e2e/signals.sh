#!/usr/bin/env bash
# sentence: of the signals that operators, limits and libraries may send, none ends the daemon or its guardian but SIGTERM and SIGINT; SIGHUP is a reload from the start on
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# Those of defects keep their action, and those of job control are the terminal's.
readonly SIGNALS="HUP USR1 USR2 PIPE ALRM STKFLT CHLD CONT URG XCPU XFSZ VTALRM PROF WINCH IO PWR RTMIN RTMIN+1 RTMAX"

guardian() {
  pgrep -P "$(lab_pid penstockd)" -f -- --guard
}

generation_is() {
  (($(penstock --json status | jq .config_generation) >= $1))
}

begin router
web_servers
configure 100 100 100
vrrp_alone
lab_start box penstockd "$BIN/penstockd" --config "$(config_file)"
catches_hangups() {
  # Bit 0 of SigCgt is SIGHUP.
  local caught
  caught=$(awk '/^SigCgt/ { print $2 }' "/proc/$(lab_pid penstockd)/status")
  (((16#$caught & 1) == 1))
}
wait_for 10 "penstockd to catch signals" catches_hangups || refute "SIGHUP is not caught"
reload_by_signal
wait_for 20 "penstockd to answer on its socket" daemon_answers || refute "SIGHUP at the start ends the daemon"
wait_for 10 "the guardian" guardian >/dev/null || refute "there is no guardian"
first=$(guardian)

for signal in $SIGNALS; do
  kill -s "$signal" "$(lab_pid penstockd)" "$first"
  expect "penstockd survives SIG$signal" daemon_lives
done
for ((n = 0; n < 200; n++)); do kill -s USR1 "$(lab_pid penstockd)" "$first"; done
kill -s TERM "$first"
kill -s INT "$first"
expect "penstockd answers" daemon_lives
expect "the guardian is the same" test "$(guardian)" = "$first"
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
penstock events --json >"$LAB_DIR/events"
expect "what has no effect is told" grep -q 'daemon\.stray-signal' "$LAB_DIR/events"
before=$(penstock --json status | jq .config_generation)
reload_by_signal
wait_for 5 "another reload" generation_is $((before + 1)) || refute "SIGHUP does not reload"
kill -s INT "$(lab_pid penstockd)"
wait_for 10 "penstockd to end" lab_gone penstockd || refute "SIGINT does not end it"
wait_for 2 "the guardian to end" test ! -d "/proc/$first" || refute "the guardian outlives the daemon"

say "penstock-decap"
lab_start be1 decap "$BIN/penstock-decap" --interface eth0 --address "$(lab_backend4 1)" --generic
decap_runs() {
  ip -n "$LAB-be1" -json link show dev eth0 | jq -e '.[0].xdp' >/dev/null
}
wait_for 10 "penstock-decap" decap_runs || refute "penstock-decap does not start"
for signal in $SIGNALS; do kill -s "$signal" "$(lab_pid decap)"; done
expect "penstock-decap survives" lab_alive decap
lab_stop decap
