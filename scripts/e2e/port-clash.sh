#!/usr/bin/env bash
# sentence: a client that uses one port towards several VIPs with the same backends is answered by each of them, over TCP and UDP
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly OTHER4=10.0.0.101 THIRD4=10.0.0.102 OTHER6=fd00::101 THIRD6=fd00::102
readonly PORTS=12

write_config() {
  write_node
  local vip
  for vip in "$VIP4" "$OTHER4" "$THIRD4"; do
    service "web-$vip" "$vip" 80 tcp router 8080 lab_backend4 100 100 100
    service "dns-$vip" "$vip" 53 udp router 53 lab_backend4 100 100 100
  done
  for vip in "$VIP6" "$OTHER6" "$THIRD6"; do
    service "web-${vip//:/.}" "$vip" 80 tcp router 8080 lab_backend6 100 100 100
    service "dns-${vip//:/.}" "$vip" 53 udp router 53 lab_backend6 100 100 100
  done
}

# ask KIND PORT ADDRESS...: every connection from every client port has to get an answer.
ask() {
  local kind=$1 port=$2 log=$LAB_DIR/log/$1-$3.log wanted
  shift 2
  [[ $kind == tcp ]] && wanted='200$' || wanted='be[1-3]$'
  lab_in client timeout 120 "$E2E/same_port.py" "$kind" 40000 "$PORTS" "$port" "$@" </dev/null >"$log"
  expect "each of $PORTS ports is answered by $*" test "$(grep -c "$wanted" "$log")" = $((PORTS * $#))
}

begin router
web_servers
dns_servers
configure
start_penstockd
wait_for 10 "the VIPs to answer" vip_answers "$THIRD6"
for vip in "$VIP4" "$OTHER4" "$THIRD4" "$VIP6" "$OTHER6"; do
  wait_for 10 "$vip to answer" vip_answers "$vip"
done

say "one client port, three VIPs, three backends"
ask tcp 80 "$VIP4" "$OTHER4" "$THIRD4"
ask tcp 80 "$VIP6" "$OTHER6" "$THIRD6"
ask udp 53 "$VIP4" "$OTHER4" "$THIRD4"
ask udp 53 "$VIP6" "$OTHER6" "$THIRD6"
services_show "map(.clashed_flows) | add > 0" >/dev/null || refute "flows that moved aside are not counted"
expect "nothing was dropped for it" test "$(penstock --json stats |
  jq '.drops[] | select(.code == "tuple-in-use") | .count')" = 0

say "explain names the backend that the worker then chooses"
mkfifo "$LAB_DIR/hold"
lab_in client "$E2E/same_port.py" tcp 41000 4 80 "$VIP4" <"$LAB_DIR/hold" >"$LAB_DIR/log/held.log" &
held=$!
exec 9>"$LAB_DIR/hold"
held_all() {
  [[ $(grep -c '200$' "$LAB_DIR/log/held.log") == 4 ]]
}
wait_for 10 "four connections to be held" held_all || refute "they are not"
for port in 41000 41001 41002 41003; do
  named=$(penstock --json explain "web-$OTHER4" --client "$CLIENT4:$port" | jq -r .backend)
  lab_in client timeout 20 "$E2E/same_port.py" tcp "$port" 1 80 "$OTHER4" </dev/null >"$LAB_DIR/log/other.log"
  expect "port $port is answered by $OTHER4" grep -q '200$' "$LAB_DIR/log/other.log"
  got=$(penstock --json flows --service "web-$OTHER4" --limit 1000 |
    jq -r ".[] | select(.client == \"$CLIENT4:$port\") | .backend")
  expect "port $port went where explain said" test "$named" = "$got"
done
exec 9>&-
wait "$held"
expect "penstockd still answers" daemon_lives
