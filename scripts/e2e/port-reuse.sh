#!/usr/bin/env bash
# sentence: a client that uses its port again, while the backend that it had is drained, gets another backend at once
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=choice.sh
. "$(dirname "$0")/choice.sh"

begin router
web_servers
configure 100 100 100
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
# What the client itself remembers of a closed connection would keep it from the port.
lab_in client sysctl -q -w net.ipv4.tcp_max_tw_buckets=0
for port in 40001 40002 40003; do
  first=$(served_by --local-port "$port" -H "Connection: close")
  expect "its flow is still there" test "$(penstock --json flows --service web4 --limit 1000 |
    jq "[.[] | select(.client | endswith(\":$port\"))] | length")" = 1
  penstock backend drain web4 "$(backend4 "$first")"
  second=$(served_by --local-port "$port" --retry 5 --retry-connrefused --retry-all-errors)
  say "port $port: first backend $first, then $second"
  [[ -n $second && $second != "$first" ]] || refute "the drained backend has got a connection again"
  penstock backend enable web4 "$(backend4 "$first")"
done
