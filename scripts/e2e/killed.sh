#!/usr/bin/env bash
# sentence: the XDP program is gone within a second of kill -9, Linux goes on, and a restart works
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

no_program() {
  [[ -z $(xdp_on eth0) && -z $(xdp_on eth1) ]]
}

begin router
web_servers
for round in 1 2 3; do
  say "start $round"
  start_penstockd
  wait_for 10 "the VIP to answer" vip_answers "$VIP4"
  no_program && refute "no XDP program is attached"
  if ((round < 3)); then
    kill -s KILL "$(lab_pid penstockd)"
    wait_for 1 "the XDP program to go" no_program || refute "the XDP program outlives the daemon"
    lab_stop penstockd KILL
    expect "Linux routes on" curl_ --max-time 5 --output /dev/null "$(url "$(lab_backend4 1)")/"
  fi
done

say "SIGTERM ends it with status 0, program and socket gone"
pid=$(lab_pid penstockd)
kill -s TERM "$pid"
wait_for 10 "penstockd to end" lab_gone penstockd || refute "SIGTERM does not end it"
wait "$pid" || refute "SIGTERM ends it with status $?"
expect "no program is left" no_program
expect "no socket is left" test ! -e "$(control_socket)"
