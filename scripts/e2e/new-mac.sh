#!/usr/bin/env bash
# sentence: a host that comes back with another MAC address is answered within two seconds in every mode and both families, and other clients lose no packet meanwhile
#
#   CHANGES   how often it does, of each mode (10)
#   MODES     the labs (all)
#   LIMIT     seconds in which it is answered (2)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=neighbours.sh
. "$E2E/neighbours.sh"

readonly CHANGES=${CHANGES:-10} LIMIT=${LIMIT:-2}

# steady NAME VIP: queries of another client, 200 a second.
steady() {
  lab_start client "$1" python3 "$E2E/fresh.py" steady "$2" 53 5
}

# Nothing is lost of the others.
steady_is_whole() {
  lab_stop "$1"
  say "$1: $(<"$LAB_DIR/log/$1.log")"
  expect "$1 has lost no packet" jq -e '.answered > 20 and .answered == .clients' "$LAB_DIR/log/$1.log" >/dev/null
}

come_back_again_and_again() {
  local n vip began worst=0 took
  for ((n = 1; n <= CHANGES; n++)); do
    guest_mac "$(printf '02:00:00:00:07:%02x' "$n")"
    for vip in "$VIP4" "$VIP6"; do
      began=${EPOCHREALTIME/[.,]/}
      guest_asks "$vip" "$LIMIT" || refute "$1, change $n: $vip does not answer within $LIMIT s"
      took=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
      ((took <= worst)) || worst=$took
    done
    sleep 0.1 # of the others' queries
  done
  say "$1: $CHANGES changes, answered after $worst ms at most"
}

# A host that has the node's MAC address by hand asks nobody: its new flow is a hint, and the node asks it.
come_back_without_a_question() {
  local vip family
  guest_mac 02:00:00:00:07:fe
  for vip in "$VIP4" "$VIP6"; do
    [[ $vip == *:* ]] && family=-6 || family=-4
    ip "$family" -n "$LAB-host" neighbour replace "$vip" lladdr 02:00:00:00:00:01 dev eth0 nud permanent
    guest_asks "$vip" 4 || refute "$1: $vip does not answer a host that has not asked"
  done
}

for mode in ${MODES:-router one-arm bridge dsr tunnel}; do
  begin "$mode"
  web_servers
  dns_servers
  [[ $mode != tunnel ]] || decapsulators
  rm -f "$(config_file)"
  start_penstockd
  lab_guest
  for vip in "$VIP4" "$VIP6"; do
    wait_for 10 "$vip to answer" guest_asks "$vip" 2 || refute "$mode: $vip does not answer"
  done
  steady others4 "$VIP4"
  steady others6 "$VIP6"
  come_back_again_and_again "$mode"
  [[ $mode != router && $mode != one-arm ]] || come_back_without_a_question "$mode"
  steady_is_whole others4
  steady_is_whole others6
  expect "penstockd still answers" daemon_lives
  lab_down
done
