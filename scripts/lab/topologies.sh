# shellcheck shell=bash
# The labs that there are. Sourced by lab.sh.
#
#   router   client ── eth0 [box] eth1 ── switch ── backends (default gateway: the box)
#   dsr      client, box eth0 and backends on one switch; the VIPs on the backends' loopback
#   bridge   client, near ── switch ── eth0 [box] eth1 ── switch ── far, backends: all on one subnet.
#            Who makes the box's bridge of the two ports is left open; lab_bridge_ready goes on from there
#   one-arm  as router, but the backends know no way to the client
#   tunnel   client, box eth0 and a Linux router on one switch, behind the router the backends on
#            another; the VIPs on their loopback, answers straight to the client
#   pair     client, box eth0 and peer eth0 on one switch: two that have VIPs in turn

readonly BRIDGE=br-inline
readonly NEAR4=10.0.0.3 NEAR6=fd00::3 FAR4=10.0.0.4 FAR6=fd00::4
readonly REMOTE4=10.9.0.2 REMOTE6=fd00:9::2

# The addresses of backend N.
lab_backend4() {
  case $(lab_topology) in
  dsr | bridge) echo "10.0.0.$((10 + $1))" ;;
  *) echo "10.0.1.$((10 + $1))" ;;
  esac
}

lab_backend6() {
  case $(lab_topology) in
  dsr | bridge) echo "fd00::$((10 + $1))" ;;
  *) echo "fd00:1::$((10 + $1))" ;;
  esac
}

# lab_plug_backends SWITCH NUMBER: with their addresses and nothing else.
lab_plug_backends() {
  local n
  for ((n = 1; n <= $2; n++)); do
    lab_namespace "be$n"
    lab_plug "$1" "be$n" "be$n" eth0 "$(printf '02:00:00:00:01:%02x' $((10 + n)))"
    lab_address "be$n" eth0 "$(lab_backend4 "$n")/24" "$(lab_backend6 "$n")/64"
  done
}

# lab_vip_on_loopback NUMBER: the VIPs are everybody's, but only the box may answer for them.
lab_vip_on_loopback() {
  local n
  for ((n = 1; n <= $1; n++)); do
    lab_in "be$n" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
    lab_address "be$n" lo "$VIP4/32" "$VIP6/128"
  done
}

# The client's side of a box between two networks, and the switch of the other.
lab_wire_two_arms() {
  lab_namespace client
  lab_box
  lab_wire client eth0 02:00:00:00:00:02 box eth0 02:00:00:00:00:01
  lab_address client eth0 "$CLIENT4/24" "$CLIENT6/64"
  lab_address box eth0 "$BOX4/24" "$BOX6/64"
  lab_default_route client "$BOX4" "$BOX6"
  lab_switch sw1
  lab_plug sw1 box box eth1 02:00:00:00:01:01
  lab_address box eth1 10.0.1.1/24 fd00:1::1/64
}

lab_wire_router() {
  local n
  lab_wire_two_arms
  lab_plug_backends sw1 "$1"
  for ((n = 1; n <= $1; n++)); do lab_default_route "be$n" 10.0.1.1 fd00:1::1; done
}

lab_wire_one-arm() {
  lab_wire_two_arms
  lab_plug_backends sw1 "$1"
}

# The client and the box's eth0 on one switch.
lab_wire_one_switch() {
  lab_switch sw1
  lab_namespace client
  lab_plug sw1 client client eth0 02:00:00:00:00:02
  lab_address client eth0 "$CLIENT4/24" "$CLIENT6/64"
  lab_box
  lab_plug sw1 box box eth0 02:00:00:00:00:01
  lab_address box eth0 "$BOX4/24" "$BOX6/64"
}

lab_wire_dsr() {
  lab_wire_one_switch
  lab_plug_backends sw1 "$1"
  lab_vip_on_loopback "$1"
}

lab_wire_tunnel() {
  local host n
  lab_wire_one_switch
  lab_namespace router
  lab_in router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  lab_plug sw1 router router eth0 02:00:00:00:00:fe
  lab_address router eth0 10.0.0.254/24 fd00::fe/64
  lab_switch sw2
  lab_plug sw2 router router eth1 02:00:00:00:01:fe
  lab_address router eth1 10.0.1.254/24 fd00:1::fe/64
  for host in client box; do lab_default_route "$host" 10.0.0.254 fd00::fe; done
  lab_plug_backends sw2 "$1"
  for ((n = 1; n <= $1; n++)); do lab_default_route "be$n" 10.0.1.254 fd00:1::fe; done
  lab_vip_on_loopback "$1"
}

lab_wire_bridge() {
  lab_switch sw0
  lab_switch sw1
  lab_box
  lab_plug sw0 box box eth0 02:00:00:00:00:01
  lab_plug sw1 box box eth1 02:00:00:00:01:01
  lab_host sw0 client 02:00:00:00:00:02 "$CLIENT4/24" "$CLIENT6/64"
  lab_host sw0 near 02:00:00:00:00:03 "$NEAR4/24" "$NEAR6/64"
  lab_host sw1 far 02:00:00:00:00:04 "$FAR4/24" "$FAR6/64"
  lab_plug_backends sw1 "$1"
}

# lab_host SWITCH NAME MAC IPV4/LENGTH IPV6/LENGTH
lab_host() {
  lab_namespace "$2"
  lab_plug "$1" "$2" "$2" eth0 "$3"
  lab_address "$2" eth0 "$4" "$5"
}

lab_wire_pair() {
  lab_switch sw1
  lab_host sw1 client 02:00:00:00:00:02 "$CLIENT4/24" "$CLIENT6/64"
  lab_box
  lab_plug sw1 box box eth0 02:00:00:00:00:01
  lab_address box eth0 "$BOX4/24" "$BOX6/64"
  lab_host sw1 peer 02:00:00:00:00:05 "$PEER4/24" "$PEER6/64"
  # A router would keep what is sent to it by mistake until it knows where that belongs: nothing would be lost.
  lab_in box sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
}

lab_bridge_by_hand() {
  ip -n "$LAB-box" link add "$BRIDGE" type bridge mcast_snooping 0
  ip -n "$LAB-box" link set eth0 master "$BRIDGE"
  ip -n "$LAB-box" link set eth1 master "$BRIDGE"
  lab_plain box "$BRIDGE"
  lab_bridge_ready
}

# Once somebody has made the bridge: the box's address on it, and hosts that reach each other across.
lab_bridge_ready() {
  wait_for 10 "the bridge $BRIDGE" ip -n "$LAB-box" link show "$BRIDGE" || return
  if ! ip -n "$LAB-box" address show dev "$BRIDGE" | grep -qF "$BOX4/"; then
    lab_address box "$BRIDGE" "$BOX4/24" "$BOX6/64"
  fi
  wait_for 10 "hosts to reach each other across the bridge" lab_reaches client "$FAR4" "$FAR6"
  wait_for 10 "the box to reach the backends" lab_reaches_backends box
}

# A host behind the client, which becomes its router. The way from there to it takes packets of MTU
# bytes at most, which nobody but the client knows.
lab_remote() {
  local n
  lab_namespace remote
  lab_in client sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  lab_wire client eth1 02:00:00:00:09:01 remote eth0 02:00:00:00:09:02
  lab_address client eth1 10.9.0.1/24 fd00:9::1/64
  lab_address remote eth0 "$REMOTE4/24" "$REMOTE6/64"
  lab_default_route remote 10.9.0.1 fd00:9::1
  ip -n "$LAB-client" link set eth1 mtu "$1"
  case $(lab_topology) in
  router | one-arm) lab_remote_route box ;;
  tunnel) lab_remote_route router ;;
  dsr | bridge)
    for ((n = 1; n <= $(lab_backends); n++)); do lab_remote_route "be$n"; done
    [[ $(lab_topology) == bridge ]] || lab_remote_route box
    ;;
  esac
}

lab_remote_route() {
  ip -n "$LAB-$1" route add 10.9.0.0/24 via "$CLIENT4"
  ip -n "$LAB-$1" route add fd00:9::/64 via "$CLIENT6"
}

# lab_reaches NAMESPACE ADDRESS...
lab_reaches() {
  local namespace=$1 address
  shift
  for address in "$@"; do lab_in "$namespace" ping -qc1 -W1 "$address" || return; done
}

lab_reaches_backends() {
  local n
  for ((n = 1; n <= $(lab_backends); n++)); do
    lab_reaches "$1" "$(lab_backend4 "$n")" "$(lab_backend6 "$n")" || return
  done
}

# What must work before penstockd comes.
lab_is_whole() {
  case $(lab_topology) in
  one-arm) lab_reaches client "$BOX4" "$BOX6" && lab_reaches_backends box ;;
  pair) lab_reaches client "$BOX4" "$BOX6" "$PEER4" "$PEER6" ;;
  bridge) lab_reaches client "$NEAR4" "$NEAR6" && lab_reaches_backends far ;;
  *) lab_reaches_backends client ;;
  esac
}
