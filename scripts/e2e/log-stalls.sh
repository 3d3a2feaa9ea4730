#!/usr/bin/env bash
# sentence: while nothing reads the log, and while its disk is full, checks, ARP, VRRP and the control socket go on at RUST_LOG=debug; lost lines are counted, and the log says how many once it is read again
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# Seconds of each kind of stall.
readonly DURATION=${LOG_STALLS_SECONDS:-3}

# start_unread FORM COMMAND...: penstockd behind the command that takes its standard error away.
start_unread() {
  local form=$1
  shift
  rm -f "$LAB_DIR/unread.log" "$LAB_DIR/unread.log.read" "$LAB_DIR/told"
  RUST_LOG=debug lab_start box penstockd "$@" "$BIN/penstockd" --log-format "$form" --config "$(config_file)"
  wait_for 20 "penstockd to answer on its socket" daemon_answers || refute "penstockd does not start"
  wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
  wait_for 10 "the box to be master" is_master || refute "the box is not master"
  wait_for 5 "the notify script to end" grep -q '^INSTANCE outside MASTER' "$LAB_DIR/told" || refute "the notify script waits for the log"
}

is_master() {
  [[ $(penstock --json vrrp | jq -r '.[0].state') == master ]]
}

lost() {
  lab_in box curl --silent --max-time 5 --unix-socket "$(control_socket)" http://box/metrics |
    awk '$1 == "penstock_log_lines_lost_total" { print $2 }'
}

has_lost() {
  (($(lost) > 0))
}

backend_is() {
  services_show ".[] | select(.name == \"web6\") | .backends[0].state == \"$1\"" >/dev/null
}

adverts() {
  penstock --json vrrp | jq '.[0].adverts_sent'
}

more_adverts_than() {
  (($(adverts) > $1))
}

# A new client, whose ARP request the management thread answers.
new_client() {
  ip -n "$LAB-client" neighbour flush dev eth0
  vip_answers "$VIP4"
}

# Requests that are refused, each with a line of the log, until the lab is gone.
chatter() {
  while [[ -d $LAB_DIR ]]; do
    lab_in box curl --silent --output /dev/null --request POST --unix-socket "$LAB_DIR/run/view.sock" \
      "http://box/v1/reload?[1-2000]" || true
  done
}

# serves_for SECONDS: all that the management thread and the checks do goes on.
serves_for() {
  local end=$((SECONDS + $1)) before state=down rounds=0
  while ((SECONDS < end)); do
    before=$(adverts)
    echo "$state" >"$LAB_DIR/web.state"
    wait_for 5 "the check to find $state" backend_is "$state" || refute "checks stand still"
    expect "a new client is answered" new_client
    wait_for 2 "an advert" more_adverts_than "$before" || refute "no adverts are sent"
    [[ $state == up ]] && state=down || state=up
    rounds=$((rounds + 1))
  done
  echo up >"$LAB_DIR/web.state"
  expect "the box is still master" is_master
  say "$rounds rounds"
}

stalls() {
  chatter &
  local talker=$!
  serves_for "$DURATION"
  wait_for 60 "lines to be lost" has_lost || refute "no line was lost: the log was not full"
  serves_for 1
  kill "$talker" 2>/dev/null || true
  wait "$talker" 2>/dev/null || true
  say "$(lost) lines were lost"
}

says_what_was_lost() {
  grep -q 'log\.lines-lost' "$1"
}

begin router
web_servers
configure 100 100 100
vrrp_alone
# More than a pipe holds.
# shellcheck disable=SC2016 # the script's own
printf '#!/bin/sh\nhead -c 200000 /dev/zero >&2\necho "$@" >>%s\n' "$LAB_DIR/told" >"$LAB_DIR/notify"
chmod +x "$LAB_DIR/notify"
echo "notify = \"$LAB_DIR/notify\"" >>"$(config_file)"
echo up >"$LAB_DIR/web.state"
sed -i "s|^name = \"web6\"\$|&\nhealth = { check = \"file\", path = \"$LAB_DIR/web.state\", interval = \"100ms\", rise = 1, fall = 1 }|" "$(config_file)"

for kind in pipe:text socket:json; do
  say "a ${kind%:*} that is not read, lines of ${kind#*:}"
  start_unread "${kind#*:}" python3 "$E2E/../lab/unread-log.py" "${kind%:*}" "$LAB_DIR/unread.log"
  stalls
  touch "$LAB_DIR/unread.log.read"
  wait_for 10 "the number of lost lines" says_what_was_lost "$LAB_DIR/unread.log" || refute "the log hides what was lost"
  if [[ $kind == *:json ]]; then
    expect "each line is an object" jq -es 'all(type == "object")' "$LAB_DIR/unread.log"
  fi
  lab_stop penstockd
done

say "it ends in time while nothing reads"
start_unread text python3 "$E2E/../lab/unread-log.py" pipe "$LAB_DIR/unread.log"
stalls
kill -s TERM "$(lab_pid penstockd)"
wait_for 8 "penstockd to end" lab_gone penstockd || refute "SIGTERM does not end it"
lab_stop penstockd
touch "$LAB_DIR/unread.log.read"

say "a full disk"
mkdir "$LAB_DIR/tiny"
# The mount is gone with the process.
# shellcheck disable=SC2016 # the inner shell's
start_unread text bash -c 'mount -t tmpfs -o size=64k tiny "$0" && exec "$@" 2>>"$0/log"' "$LAB_DIR/tiny"
stalls
tiny=/proc/$(lab_pid penstockd)/root$LAB_DIR/tiny/log
truncate -s 0 "$tiny"
penstock status >/dev/null
wait_for 10 "the number of lost lines" says_what_was_lost "$tiny" || refute "the log hides what was lost"
expect "penstockd still answers" daemon_lives
