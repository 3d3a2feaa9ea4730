#!/usr/bin/env bash
# sentence: when a check finds a backend failed, its connections are kept or reset and its UDP flows move, as the service says
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=health.sh
. "$E2E/health.sh"

readonly CHECK='health = { check = "tcp", port = 8080, interval = "100ms", rise = 1, fall = 1 }'

write_config() {
  write_node
  service web4 "$VIP4" 80 tcp router 8080 lab_backend4 100 100
  service dns4 "$VIP4" 53 udp router 53 lab_backend4 100 100
}

configured() {
  SERVICE_KEYS="$CHECK
on_backend_failure = \"$1\""
  configure
}

# The number of the backend that has the only TCP flow.
busy() {
  web4 '[.backends[].active_flows] | index(1) + 1'
}

has_one_flow() {
  [[ $(web4 '[.backends[].active_flows] | add') == 1 ]]
}

no_flow() {
  [[ $(web4 '[.backends[].active_flows] | add') == 0 ]]
}

# who PORT: the DNS server that answers a client's port.
who() {
  lab_in client dig +short +time=1 +tries=1 -b "$CLIENT4#$1" "@$VIP4" who.test.penstock TXT
}

# Several, so that whatever the first server is, there is a query that it answered.
ask_all() {
  local port
  for ((port = 30001; port <= 30016; port++)); do echo "$port $(who "$port" || echo nobody)"; done
}

BACKENDS=2
# A client that gives up ends by a reset, which nothing proves.
DATAPLANE='flow_timeouts = { tcp_fin = "1s", tcp_reset = "1s" }'
begin router
web_servers
dns_servers
configured keep
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
all_up

for then in keep reset; do
  configured "$then"
  reload_by_signal
  wait_for 5 "the backends to be idle" no_flow || refute "flows are left"
  lab_in client curl -sS --max-time 8 --limit-rate 10M -o /dev/null "$(url "$VIP4")/200M" 2>"$LAB_DIR/log/curl-$then.log" &
  download=$!
  wait_for 5 "the download to begin" has_one_flow || refute "no download"
  n=$(busy)
  # Whoever is connected stays connected as far as the server is concerned: only the box can end this.
  filter "$n" "tcp dport 8080 tcp flags syn drop"
  becomes "$n" down
  status=0
  wait "$download" || status=$?
  say "$then: curl ended with $status: $(tail -n 1 "$LAB_DIR/log/curl-$then.log")"
  case $then in
  keep) expect "it went on until its own limit" test "$status" = 28 ;;
  reset) expect "it was reset" test "$status" = 56 ;;
  esac
  unfilter "$n"
  becomes "$n" up
done

for then in keep move; do
  configured "$then"
  reload_by_signal
  ask_all >"$LAB_DIR/before"
  expect "both servers answer" test "$(grep -o 'be[12]' "$LAB_DIR/before" | sort -u | wc -l)" = 2
  filter 1 "tcp dport 8080 drop; udp dport 53 drop"
  becomes 1 down
  ask_all >"$LAB_DIR/after"
  say "$then: $(grep -c nobody "$LAB_DIR/after" || true) of 16 client ports get no answer"
  case $then in
  keep) expect "flows stay where they were" grep -q nobody "$LAB_DIR/after" ;;
  move) expect "all flows are answered" test "$(grep -c be2 "$LAB_DIR/after")" = 16 ;;
  esac
  unfilter 1
  becomes 1 up
done
expect "penstockd still answers" daemon_lives
