#!/usr/bin/env bash
# sentence: with Keepalived as its peer penstockd is elected, preempts, hands over, stops, dies and loses its link as VRRP says, in every variant
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=vrrp.sh
. "$E2E/vrrp.sh"

readonly BOX_MAC=02:00:00:00:00:01

box_is_master() {
  becomes box master
  wait_for 5 "Keepalived to have no VIP" peer_lacks "$VIP" || refute "two masters"
  is_answered_by "$VIP" "$MAC"
}

peer_is_master() {
  wait_for "${1:-5}" "Keepalived to have the VIP" peer_has "$VIP" || refute "Keepalived has not taken over"
  becomes box "${2:-backup}"
}

# variant NAME VIP MAC SECONDS PENSTOCK KEEPALIVED-GLOBAL KEEPALIVED
variant() {
  local name=$1
  VIP=$2 MAC=$3
  local patience=$4
  say "$name: Keepalived alone, then a better router"
  keepalived_config "$6" "$7
  priority 100
  state BACKUP"
  vrrp_config box "$5
priority = 200
addresses = [\"$VIP\"]"
  keepalived_start
  wait_for "$patience" "Keepalived to be master" peer_has "$VIP" || refute "Keepalived is not master by itself"
  capture "$name" peer eth0
  router_start box
  becomes box master "$patience"
  box_is_master

  say "$name: hand-over by hand, and the other dies"
  router box vrrp failover outside >/dev/null
  peer_is_master "$patience"
  keepalived_kill "$VIP"
  becomes box master "$patience"
  box_is_master
  keepalived_start
  box_is_master

  say "$name: graceful stop, return and preemption"
  lab_stop penstockd-box
  wait_for "$patience" "Keepalived to take over" peer_has "$VIP" || refute "Keepalived has not taken over"
  router_start box
  becomes box master "$patience"
  box_is_master

  say "$name: link down and return"
  ip -n "$LAB-sw1" link set box down
  peer_is_master "$patience" fault
  ip -n "$LAB-sw1" link set box up
  becomes box master "$patience"
  box_is_master

  say "$name: killed"
  lab_stop penstockd-box KILL
  wait_for "$patience" "Keepalived to take over" peer_has "$VIP" || refute "Keepalived has not taken over"

  say "$name: the worse router"
  sed -i 's/^priority = .*/priority = 50/' "$LAB_DIR/box.toml"
  router_start box
  becomes box backup
  peer_is_master
  lab_stop keepalived
  becomes box master "$patience"
  box_is_master
  keepalived_start
  peer_is_master "$patience"
  no_advert_was_refused
  lab_stop penstockd-box
  lab_stop keepalived
  capture_end "$name"
  adverts_are_right "$name"
}

no_advert_was_refused() {
  router box --json vrrp | jq -e '.[0].adverts_refused | del(.own) | add == 0' >/dev/null ||
    refute "adverts were refused: $(router box --json vrrp)"
}

# tshark has nothing to say against the box's adverts.
adverts_are_right() {
  local ours complaints
  ours=$(tshark -r "$LAB_DIR/$1.pcapng" -n -Y "vrrp && (ip.src == $BOX4 || ipv6.src == fe80::ff:fe00:1)" 2>/dev/null | wc -l)
  complaints=$(tshark -r "$LAB_DIR/$1.pcapng" -n -o vrrp.v3_checksum_as_in_v2:FALSE \
    -Y "vrrp && (ip.src == $BOX4 || ipv6.src == fe80::ff:fe00:1) && (_ws.malformed || vrrp.checksum.status == 0 || _ws.expert.severity >= 0x600000)" 2>/dev/null | wc -l)
  say "$1: $ours adverts of the box, $complaints with a complaint"
  ((ours >= 10 && complaints == 0)) || refute "$complaints of $ours adverts are wrong"
}

begin pair
variant v3 "$VIP4" "$BOX_MAC" 5 'advert_interval = "100ms"
mac = "interface"' "vrrp_version 3" "advert_int 0.1
  virtual_ipaddress { $VIP4/24 }"
variant v3-ipv6 "$VIP6" "$BOX_MAC" 5 'advert_interval = "100ms"
mac = "interface"' "vrrp_version 3" "advert_int 0.1
  virtual_ipaddress { $VIP6/64 }"
variant virtual-mac "$VIP4" 00:00:5e:00:01:33 5 'advert_interval = "100ms"' "vrrp_version 3" "advert_int 0.1
  use_vmac
  virtual_ipaddress { $VIP4/24 }" vrrp.51
variant unicast "$VIP4" "$BOX_MAC" 5 "advert_interval = \"100ms\"
mac = \"interface\"
unicast_peers = [\"$PEER4\"]" "vrrp_version 3" "advert_int 0.1
  unicast_src_ip $PEER4
  unicast_peer { $BOX4 }
  virtual_ipaddress { $VIP4/24 }"
variant v2-password "$VIP4" "$BOX_MAC" 12 'version = 2
advert_interval = "1s"
password = "secret"
mac = "interface"' "vrrp_version 2" "advert_int 1
  authentication {
    auth_type PASS
    auth_pass secret
  }
  virtual_ipaddress { $VIP4/24 }"
