#!/usr/bin/env bash
# sentence: a backend at an address of the node is refused with its place in the file, and counts as down where the address comes to an interface later
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2034 # by its name
readonly LATER4=10.0.1.12 LATER6=fd00:1::12

# refused FILE ADDRESS: by check, without a daemon, with line and advice.
refused() {
  local told=$LAB_DIR/log/refused.log
  ! lab_in box "$BIN/penstock" check "$1" >"$told" 2>&1 &&
    grep -q "$2 is an address of this node's interface" "$told" && grep -q -- '--> .*:[0-9]*:[0-9]*' "$told" &&
    grep -q 'another machine' "$told"
}

# with_backend ADDRESS: the configuration, of which the first backend of web4 or web6 has that address.
with_backend() {
  local own
  own=$(lab_backend4 1)
  [[ $1 == *:* ]] && own=$(lab_backend6 1)
  write_config 100 100 | sed "s/^address = \"$own\"\$/address = \"$1\"/"
}

# state_of SERVICE ADDRESS: how a backend is.
state_of() {
  penstock --json services | jq -r ".[] | select(.name == \"$1\") | .backends[] | select(.address == \"$2\") | .state"
}

is() {
  [[ $(state_of "$1" "$2") == "$3" ]]
}

BACKENDS=2
begin router
web_servers
configure 100 100
start_penstockd
for vip in "$VIP4" "$VIP6"; do wait_for 10 "$vip to answer" vip_answers "$vip"; done

say "a file whose backend is the node itself is refused, over both families, on either interface"
for address in 10.0.1.1 "$BOX4" fd00:1::1 "$BOX6"; do
  with_backend "$address" >"$LAB_DIR/own.toml"
  expect "check refuses $address" refused "$LAB_DIR/own.toml" "$address"
  if penstock apply "$LAB_DIR/own.toml" 2>"$LAB_DIR/log/apply.log"; then refute "apply takes $address"; fi
  expect "apply says why" grep -q "$address is an address of this node" "$LAB_DIR/log/apply.log"
done
services_show "[.[].backends[].state] | all(. == \"up\")" >/dev/null || refute "the running configuration has changed"

say "the address of a backend comes to an interface of the node"
for n in 4 6; do
  later=LATER$n vip=VIP$n
  length=24 nodad=
  [[ $n == 4 ]] || length=64 nodad=nodad
  ip -n "$LAB-be2" address del "${!later}/$length" dev eth0
  ip -n "$LAB-box" address add "${!later}/$length" dev eth1 $nodad
  wait_for 5 "${!later} to count as down" is "web$n" "${!later}" down || refute "it is $(state_of "web$n" "${!later}")"
  expect "the reason is told" services_show "any(.[]; .backends[] | .address == \"${!later}\" and
    (.last_result // \"\" | contains(\"address of this node\")))" >/dev/null
  expect "doctor tells of it" bash -c "ip netns exec $LAB-box '$BIN/penstock' doctor --config '$(config_file)' |
    grep -q '${!later}'"
  for ((i = 0; i < 20; i++)); do
    vip_answers "${!vip}" || refute "a connection went to the node itself"
  done
done

say "the daemon starts with it, and the backend is down from the start"
lab_stop penstockd
start_penstockd
expect "it is down" is web4 "$LATER4" down
wait_for 10 "the VIP to answer" vip_answers "$VIP4"

say "and it is up again when the address is elsewhere"
for n in 4 6; do
  later=LATER$n
  length=24 nodad=
  [[ $n == 4 ]] || length=64 nodad=nodad
  ip -n "$LAB-box" address del "${!later}/$length" dev eth1
  ip -n "$LAB-be2" address add "${!later}/$length" dev eth0 $nodad
  wait_for 5 "${!later} to be up" is "web$n" "${!later}" up || refute "it is $(state_of "web$n" "${!later}")"
done
expect "penstockd still answers" daemon_lives
