#!/usr/bin/env bash
# sentence: with FRR's vrrpd as its peer penstockd is elected, preempts, hands over, stops, dies and loses its link as VRRP says, over IPv4 and IPv6
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=vrrp.sh
. "$E2E/vrrp.sh"

readonly FRR=/usr/lib/frr

# FRR wants macvlans that somebody else has made, with the virtual addresses on them.
frr_devices() {
  ip -n "$LAB-peer" link add vrrp4-51 link eth0 type macvlan mode bridge
  ip -n "$LAB-peer" link set vrrp4-51 address 00:00:5e:00:01:33 up
  ip -n "$LAB-peer" address add "$VIP4/24" dev vrrp4-51
  ip -n "$LAB-peer" link add vrrp6-51 link eth0 type macvlan mode bridge
  ip -n "$LAB-peer" link set vrrp6-51 address 00:00:5e:00:02:33 up
  ip -n "$LAB-peer" address add "$VIP6/64" dev vrrp6-51 nodad
}

# Its daemons keep their sockets in a directory of the lab's own.
frr_start() {
  local run=$LAB_DIR/run/frr
  mkdir -p "$run"
  rm -f "$run"/* # a socket of the last one would be taken for its own
  chmod 777 "$run"
  cat >"$LAB_DIR/vrrpd.conf" <<EOF
hostname peer
interface eth0
 vrrp 51 version 3
 vrrp 51 priority $1
 vrrp 51 advertisement-interval 100
 vrrp 51 ip $VIP4
 vrrp 51 ipv6 $VIP6
EOF
  touch "$LAB_DIR/zebra.conf"
  chmod 644 "$LAB_DIR"/vrrpd.conf "$LAB_DIR"/zebra.conf
  lab_start peer zebra "$FRR/zebra" -f "$LAB_DIR/zebra.conf" -i "$run/zebra.pid" -z "$run/zserv.api" \
    --vty_socket "$run" --log stdout
  wait_for 10 "zebra" test -S "$run/zserv.api" || refute "zebra does not start"
  lab_start peer vrrpd "$FRR/vrrpd" -f "$LAB_DIR/vrrpd.conf" -i "$run/vrrpd.pid" -z "$run/zserv.api" \
    --vty_socket "$run" --log stdout
}

frr_is() {
  lab_in peer vtysh --vty_socket "$LAB_DIR/run/frr" -d vrrpd -c "show vrrp 51 json" 2>/dev/null |
    jq -e --arg state "$1" '.[0] | [.v4.status, .v6.status] | all(. == $state)'
}

frr_becomes() {
  wait_for 10 "vrrpd to be $1" frr_is "$1" ||
    refute "vrrpd is not $1: $(lab_in peer vtysh --vty_socket "$LAB_DIR/run/frr" -d vrrpd -c "show vrrp 51 json")"
}

both_are() {
  router box --json vrrp | jq -e --arg state "$1" 'map(.state) | all(. == $state)'
}

box_becomes() {
  wait_for 10 "both virtual routers to be $1" both_are "$1" || refute "not both are $1: $(router box --json vrrp)"
}

box_config() {
  vrrp_config box "priority = $1
advert_interval = \"100ms\"
addresses = [\"$VIP4\"]
[[vrrp]]
name = \"outside6\"
interface = \"eth0\"
vrid = 51
priority = $1
advert_interval = \"100ms\"
addresses = [\"$VIP6\"]"
}

box_is_master() {
  box_becomes master
  frr_becomes Backup
  is_answered_by "$VIP4" 00:00:5e:00:01:33
  is_answered_by "$VIP6" 00:00:5e:00:02:33
}

begin pair
say "FRR alone, then a better router"
frr_devices
frr_start 100
frr_becomes Master
box_config 200
router_start box
box_is_master

say "hand-over by hand; the other dies and comes back"
for name in outside outside6; do router box vrrp failover "$name" >/dev/null; done
frr_becomes Master
box_becomes backup
lab_stop vrrpd KILL
box_becomes master
lab_stop zebra KILL
frr_start 100
box_is_master

say "graceful stop, and preemption"
lab_stop penstockd-box
frr_becomes Master
router_start box
box_is_master

say "link down and return"
ip -n "$LAB-sw1" link set box down
frr_becomes Master
box_becomes fault
ip -n "$LAB-sw1" link set box up
box_is_master

say "killed"
lab_stop penstockd-box KILL
frr_becomes Master

say "the worse router"
box_config 50
router_start box
box_becomes backup
lab_stop vrrpd TERM
box_becomes master
lab_stop zebra TERM
frr_start 100
frr_becomes Master
box_becomes backup
router box --json vrrp | jq -e 'map(.adverts_refused | del(.own) | add) | add == 0' >/dev/null ||
  refute "adverts were refused: $(router box --json vrrp)"
