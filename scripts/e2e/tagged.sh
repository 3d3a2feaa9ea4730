# shellcheck shell=bash
# Frames of a VLAN whose tag travels beside them, as a bridge of Linux hands them to its ports. To be sourced after lib.sh.

readonly VLAN=77

# tagged_services: of the lab's mode, one for every VLAN, one for the frames' own, one for another.
tagged_services() {
  local mode backend_port=8080
  mode=$(mode)
  ! keeps_port "$mode" || backend_port=80
  write_node
  service any "$VIP4" 80 tcp "$mode" "$backend_port" lab_backend4 100
  service six "$VIP6" 80 tcp "$mode" "$backend_port" lab_backend6 100
  SERVICE_KEYS="vlan = $VLAN" service own "$VIP4" 81 tcp "$mode" '' lab_backend4 100
  SERVICE_KEYS="vlan = 78" service other "$VIP4" 82 tcp "$mode" '' lab_backend4 100
}

# syns_in CAPTURE FILTER: how many SYNs of the client's it has.
syns_in() {
  tshark -r "$LAB_DIR/$1.pcapng" -n -Y "tcp.flags.syn == 1 && tcp.srcport >= 40001 && tcp.srcport <= 40003 && ($2)" \
    2>/dev/null | wc -l
}

dropped_for() {
  [[ $(penstock --json drops --code "$1" | jq '[.[].count] | add') -ge $2 ]]
}

# tags_stay TOPOLOGY: the sender's tag is on each frame that gets to the backend, and on no other.
tags_stay() {
  local mac count
  begin "$1"
  # shellcheck disable=SC2034 # of lib.sh
  BACKENDS=1
  tagged_services >"$(config_file)"
  start_penstockd
  expect "the steering program puts tags back" jq -e 'all(.vlan_tags == "put-back")' < <(penstock --json interfaces)
  wait_for 10 "the VIP to answer" lab_in client ping -qc1 -W1 "$VIP4" || refute "the VIP does not answer"
  mac=$(ip -n "$LAB-client" neighbour show "$VIP4" | grep -o 'lladdr [0-9a-f:]*' | cut -d' ' -f2)
  capture backend be1 eth0
  lab_in client python3 "$E2E/../lab/tagged.py" eth0 "$VLAN" "$CLIENT4" "$mac" "$VIP4" 80 81 82
  lab_in client python3 "$E2E/../lab/tagged.py" eth0 "$VLAN" "$CLIENT6" "$mac" "$VIP6" 80
  wait_for 5 "the service of another VLAN to drop what is not its own" dropped_for wrong-vlan 3 ||
    refute "frames of VLAN $VLAN are taken by a service of VLAN 78"
  capture_end backend
  count=$(syns_in backend "vlan.id == $VLAN")
  say "$count SYNs in VLAN $VLAN, $(syns_in backend "!vlan") without a tag"
  ((count == 9)) || refute "$count SYNs of 9 got to the backend in VLAN $VLAN"
  (($(syns_in backend "!vlan") == 0)) || refute "frames of VLAN $VLAN have lost their tag"
  expect "penstockd still answers" daemon_lives
}
