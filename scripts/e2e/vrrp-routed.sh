#!/usr/bin/env bash
# sentence: with unicast peers behind a router, penstockd and Keepalived agree on one master in versions 2 and 3 and both families, unless min_ttl says how near a peer has to be
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=vrrp.sh
. "$E2E/vrrp.sh"

readonly THERE4=10.9.0.5 THERE6=fd00:9::5

# The peer moves behind a router of Linux.
between() {
  lab_namespace router
  lab_in router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  lab_plug sw1 router router eth0 02:00:00:00:00:fe
  lab_address router eth0 10.0.0.254/24 fd00::fe/64
  ip -n "$LAB-peer" link delete eth0
  lab_wire router eth1 02:00:00:00:09:fe peer eth0 02:00:00:00:09:05
  lab_address router eth1 10.9.0.254/24 fd00:9::fe/64
  lab_address peer eth0 "$THERE4/24" "$THERE6/64"
  lab_default_route peer 10.9.0.254 fd00:9::fe
  lab_default_route box 10.0.0.254 fd00::fe
  wait_for 10 "the two to reach each other through the router" lab_reaches peer "$BOX4" "$BOX6"
}

# agree NAME VIP VERSION INTERVAL PENSTOCK KEEPALIVED: the box is better, then it is worse, then the peer is gone.
agree() {
  say "$1: the better router"
  VIP=$2
  local interval=$4
  keepalived_config "vrrp_version $3" "$6
  priority 100
  state BACKUP
  advert_int $interval"
  vrrp_config box "version = $3
advert_interval = \"$(jq -n "$interval * 1000")ms\"
mac = \"interface\"
priority = 200
addresses = [\"$VIP\"]
$5"
  keepalived_start
  wait_for 10 "Keepalived to be master by itself" peer_has "$VIP" || refute "Keepalived is not master by itself"
  router_start box
  becomes box master 10
  wait_for 5 "Keepalived to yield" peer_lacks "$VIP" || refute "$1: two masters"
  say "$1: the worse router"
  lab_stop penstockd-box
  wait_for 10 "Keepalived to take over" peer_has "$VIP" || refute "Keepalived has not taken over"
  sed -i 's/^priority = .*/priority = 50/' "$LAB_DIR/box.toml"
  router_start box
  wait_for 5 "adverts to come" heard || refute "$1: no advert is listened to: $(router box --json vrrp)"
  # Longer than a backup waits: three intervals and the skew.
  sleep "$(jq -n "$interval * 4")"
  [[ $(router box --json vrrp | jq -r '.[0].state') == backup ]] || refute "$1: two masters: $(router box --json vrrp)"
  lab_stop keepalived
  becomes box master 10
  lab_stop penstockd-box
}

heard() {
  router box --json vrrp | jq -e '.[0].adverts_received >= 2 and (.[0].adverts_refused | add == 0)' >/dev/null
}

refused_as_far() {
  router box --json vrrp | jq -e '.[0].adverts_refused["hop-limit"] >= 2' >/dev/null
}

begin pair
between
agree "version 3" "$VIP4" 3 0.1 "unicast_peers = [\"$THERE4\"]" "unicast_src_ip $THERE4
  unicast_peer { $BOX4 }
  virtual_ipaddress { $VIP4/32 }"
agree "version 3, IPv6" "$VIP6" 3 0.1 "unicast_peers = [\"$THERE6\"]" "unicast_src_ip $THERE6
  unicast_peer { $BOX6 }
  virtual_ipaddress { $VIP6/128 }"
agree "version 2" "$VIP4" 2 1 "unicast_peers = [\"$THERE4\"]" "unicast_src_ip $THERE4
  unicast_peer { $BOX4 }
  virtual_ipaddress { $VIP4/32 }"

say "min_ttl: a peer behind a router is too far"
sed -i 's/^unicast_peers.*/&\nmin_ttl = 255/' "$LAB_DIR/box.toml"
keepalived_start
router_start box
wait_for 10 "its adverts to be refused" refused_as_far || refute "adverts with 254 are listened to: $(router box --json vrrp)"
sed -i 's/^min_ttl.*/min_ttl = 254/' "$LAB_DIR/box.toml"
router box reload >/dev/null
becomes box backup 10
