# shellcheck shell=bash
# Clients behind routers of the backends' segment. To be sourced after lib.sh.
#
#   box eth1 ── sw1 ── r1 ── sw2 ── far (10.20.0.11 …)
#                   ├─ r2 ──┤
#                   └─ r3 ──┘
#
# They reach the VIPs by way of r3. By which of r1 and r2 answers come is the box's choice.

# shellcheck disable=SC2034 # for the scenarios
readonly R1_4=10.0.1.21 R2_4=10.0.1.22 R1_6=fd00:1::21 R2_6=fd00:1::22
# shellcheck disable=SC2034 # for the scenarios
readonly FAR_NET4=10.20.0.0/24 FAR_NET6=fd20::/64

far4() { echo "10.20.0.$((10 + $1))"; }
far6() { echo "fd20::$((10 + $1))"; }

# far_wire CLIENTS
far_wire() {
  local n last
  lab_switch sw2
  for n in 1 2 3; do
    last=2$n
    lab_namespace "r$n"
    lab_in "r$n" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
      net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
    lab_plug sw1 "r$n" "r$n" eth0 "02:00:00:00:01:$last"
    lab_plug sw2 "r$n" "r$n" eth1 "02:00:00:00:02:$last"
    lab_address "r$n" eth1 "10.20.0.$n/24" "fd20::$n/64"
    far_addresses "r$n"
  done
  lab_namespace far
  lab_plug sw2 far far eth0 02:00:00:00:02:11
  for ((n = 1; n <= $1; n++)); do lab_address far eth0 "$(far4 "$n")/24" "$(far6 "$n")/64"; done
  lab_default_route far 10.20.0.3 fd20::3
}

# What a router loses with its link.
far_addresses() {
  lab_address "$1" eth0 "10.0.1.2${1#r}/24" "fd00:1::2${1#r}/64"
  ip -n "$LAB-$1" route add "$VIP4" via 10.0.1.1
  ip -n "$LAB-$1" route add "$VIP6" via fd00:1::1
}

far_revive() {
  ip -n "$LAB-$1" address flush dev eth0
  ip -n "$LAB-$1" link set eth0 up
  far_addresses "$1"
}

# far_curl SOURCE VIP
far_curl() {
  lab_in far curl --silent --fail --globoff --max-time "${FAR_TIME:-1}" --interface "$1" "$(url "$2")/" >/dev/null
}

# forwarded ROUTER FAMILY: packets that it has sent on.
forwarded() {
  if [[ $2 == ipv4 ]]; then
    # shellcheck disable=SC2016 # awk's
    lab_in "$1" awk '$1 == "Ip:" && ++lines == 2 { print $7 }' /proc/net/snmp
  else
    # shellcheck disable=SC2016 # awk's
    lab_in "$1" awk '$1 == "Ip6OutForwDatagrams" { print $2 }' /proc/net/snmp6
  fi
}
