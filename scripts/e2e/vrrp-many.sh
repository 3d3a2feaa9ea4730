#!/usr/bin/env bash
# sentence: 255 virtual routers on one interface, one of them with 1000 addresses, are elected, handed over by the end of their master, and taken back
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=vrrp.sh
. "$E2E/vrrp.sh"

readonly ROUTERS=255

# many NAMESPACE PRIORITY
many() {
  local n
  vrrp_config "$1" "priority = $2
advert_interval = \"200ms\"
addresses = [$(seq -f '"10.0.2.%g"' -s, 1 250),$(seq -f '"10.0.3.%g"' -s, 1 250),$(seq -f '"10.0.4.%g"' -s, 1 250),$(seq -f '"10.0.5.%g"' -s, 1 250)]"
  for ((n = 1; n < ROUTERS; n++)); do
    cat >>"$LAB_DIR/$1.toml" <<EOF
[[vrrp]]
name = "r$n"
interface = "eth0"
vrid = $((n == 51 ? 255 : n))
priority = $2
advert_interval = "200ms"
addresses = ["10.0.6.$n"]
EOF
  done
}

# count NAMESPACE STATE
count() {
  router "$1" --json vrrp | jq --arg state "$2" 'map(select(.state == $state)) | length'
}

all_are() {
  [[ $(count "$1" "$2") == "$ROUTERS" ]]
}

all_become() {
  wait_for 20 "all of $1 to be $2" all_are "$1" "$2" || refute "only $(count "$1" "$2") of $1 are $2"
}

# reachable ADDRESS...: the client's subnet is wide enough for all of them.
reachable() {
  local address
  for address in "$@"; do
    wait_for 5 "$address to answer" lab_in client ping -qc1 -W1 "$address" || refute "$address does not answer"
  done
}

begin pair
ip -n "$LAB-client" address add 10.0.7.2/20 dev eth0
many box 200
many peer 100
router_start box
router_start peer
all_become box master
all_become peer backup
reachable 10.0.2.1 10.0.5.250 10.0.6.1 10.0.6.254
say "the master leaves"
lab_stop penstockd-box
all_become peer master
reachable 10.0.2.1 10.0.5.250 10.0.6.1 10.0.6.254
say "and is back"
router_start box
all_become box master
all_become peer backup
reachable 10.0.2.2 10.0.6.2
before=$(router peer --json vrrp | jq 'map(.transitions) | add')
wait_for 10 "two dozen adverts more" bash -c "[[ \$(ip netns exec $LAB-peer $BIN/penstock --socket $LAB_DIR/run-peer/control.sock --json vrrp | jq '.[0].adverts_received') -ge 25 ]]"
[[ $(router peer --json vrrp | jq 'map(.transitions) | add') == "$before" ]] || refute "virtual routers move by themselves"
