#!/usr/bin/env bash
# sentence: while SYNs of invented sources fill the table, established flows lose nothing and another VIP refuses no connection (router, dsr)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# Many times what the table holds, and less than what the lab's links carry.
readonly FLOWS=4_096 FLOOD_SECONDS=20 SYNS=8000 OTHER4=10.0.0.101
readonly WEB='.[] | select(.name == "web")' OTHER='.[] | select(.name == "other")'
readonly DATAPLANE='flow_timeouts = { tcp_syn = "5s", tcp_fin = "2s" }'

write_config() {
  local port=8080
  keeps_port "$(mode)" && port=80
  write_node
  service web "$VIP4" 80 tcp "$(mode)" "$port" lab_backend4 100 100 100
  service other "$OTHER4" 80 tcp "$(mode)" "$port" lab_backend4 100 100 100
}

active() {
  penstock --json status | jq .flows.active
}

# The own room of one service, and the common one.
table_is_full() {
  (($(active) >= 3 * 4096 / 4 - 8))
}

warned() {
  grep -q "$1" "$LAB_DIR/log/penstockd.log"
}

# download VIP NAME: slow enough to last as long as the flood.
download() {
  (CURL_TIME=120 curl_ --limit-rate 8M "$(url "$1")/200M" | lab_digest >"$LAB_DIR/$2.digest") &
  downloads+=($!)
}

flooded() {
  local n downloads=()
  begin "$1"
  if [[ $1 == dsr ]]; then
    for ((n = 1; n <= BACKENDS; n++)); do ip -n "$LAB-be$n" address add "$OTHER4/32" dev lo; done
  fi
  web_servers
  start_penstockd
  wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
  wait_for 10 "the other VIP to answer" vip_answers "$OTHER4" || refute "the other VIP does not answer"
  download "$VIP4" web
  download "$OTHER4" other
  wait_for 5 "the downloads to begin" services_show '[.[].packets_in > 200] | all'

  lab_start client flood python3 "$E2E/../lab/flows.py" flood "$FLOOD_SECONDS" "$SYNS" eth0 "$VIP4" 80
  wait_for 10 "the table to fill up" table_is_full || refute "the flood does not fill the table: $(active) flows"
  say "$1: $(active) flows of 4096; new connections to the other VIP"
  ab_requests "$OTHER4" 1000 10 "ab-$1"
  expect "the flood goes on" lab_alive flood
  expect "the table is still full" table_is_full
  wait_for 5 "the flooded service to be under pressure" services_show "$WEB | .pressure and .recycled_flows > 0" ||
    refute "nothing shows what happens"
  expect "the other one is not" services_show "$OTHER | .pressure | not"
  expect "the log says so" warned 'above its share of the flow table'
  wait_for 30 "the flood to end" lab_gone flood
  say "$(<"$LAB_DIR/log/flood.log")"
  wait "${downloads[@]}"
  expect "the download of the flooded service is whole" cmp "$LAB_DIR/web.digest" "$LAB_DIR/200M.sha256"
  expect "the other one is whole" cmp "$LAB_DIR/other.digest" "$LAB_DIR/200M.sha256"
  expect "the other VIP was refused nothing" services_show "$OTHER | [.refused[]] | add == 0"
  expect "no flow found the table full" test \
    "$(penstock --json stats | jq '.drops[] | select(.code == "table-full") | .count')" = 0
  wait_for 20 "the service to be back to normal" services_show "$WEB | .pressure | not" || refute "the pressure stays"
  expect "the log says that, too" warned 'back to normal'
  expect "penstockd still answers" daemon_lives
}

flooded router
lab_stop penstockd
lab_down
flooded dsr
