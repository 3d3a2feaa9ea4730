#!/usr/bin/env bash
# sentence: requests without an end and answers without an end, as many as there may be connections, keep the control socket's other users from nothing
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# As many as a control socket takes.
readonly MOST=256

# crowd NAME SOCKET REQUEST
crowd() {
  lab_start box "$1" python3 "$E2E/crowd.py" "$LAB_DIR/run/$2.sock" "$MOST" "$3"
  wait_for 10 "$1 to be there" grep -q held "$LAB_DIR/log/$1.log" || refute "$1 is not there"
}

# answers SOCKET: several times, since each connection that is there has to stay possible.
answers() {
  local n
  for n in 1 2 3 4 5; do
    lab_in box timeout 5 "$BIN/penstock" --socket "$LAB_DIR/run/$1.sock" status >/dev/null || return 1
  done
}

begin router
web_servers
start_penstockd
for socket in control view; do
  crowd "bodies-$socket" "$socket" 'POST /v1/config/check HTTP/1.1\r\nHost: box\r\nContent-Length: 1000\r\n\r\nx'
  expect "$socket.sock answers beside bodies that do not come" answers "$socket"
  lab_stop "bodies-$socket"
  crowd "followers-$socket" "$socket" 'GET /v1/events?follow=true HTTP/1.1\r\nHost: box\r\n\r\n'
  expect "$socket.sock answers beside answers that last" answers "$socket"
  lab_stop "followers-$socket"
done
expect "penstockd still answers" daemon_lives
