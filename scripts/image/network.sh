# shellcheck shell=bash
# The network that images are tried in: three switches in one namespace, where the emulator's taps are too. Sourced by
# scripts/test-image, after lab.sh.
#
#   br-mgmt    10.9.0.1 (who operates), box N is 10.9.0.1N
#   br-front   client 10.0.0.2; box N 10.0.0.2N; be3 and be4 10.0.0.13, .14, the virtual IP of DSR on their loopback
#   br-back    box N 10.0.1.2N; be1 and be2 10.0.1.11, .12, whose gateway is 10.0.1.1

# shellcheck disable=SC2034 # for who sources this
readonly ROUTER_VIP=10.0.0.100 DSR_VIP=10.0.0.101 ONE_ARM_VIP=10.0.0.102 POOL=10.0.0.112
readonly MGMT=10.9.0.1

# image_plug BRIDGE NAMESPACE MAC ADDRESS
image_plug() {
  lab_namespace "$2"
  lab_wire "$2" eth0 "$3" host "$2" "06:${3#*:}"
  ip -n "$LAB-host" link set "$2" master "$1"
  ip -n "$LAB-$2" address add "$4/24" dev eth0
}

image_network() {
  local bridge n
  lab_sweep
  lab_create $$
  echo image >"$LAB_DIR/topology"
  lab_namespace host
  for bridge in br-mgmt br-front br-back; do
    ip -n "$LAB-host" link add "$bridge" type bridge mcast_snooping 0
    lab_plain host "$bridge"
  done
  ip -n "$LAB-host" address add "$MGMT/24" dev br-mgmt
  image_plug br-front client 02:00:00:00:00:02 10.0.0.2
  for n in 1 2; do
    image_plug br-back "be$n" "02:00:00:00:01:1$n" "10.0.1.1$n"
    ip -n "$LAB-be$n" route add default via 10.0.1.1
  done
  for n in 3 4; do
    image_plug br-front "be$n" "02:00:00:00:00:1$n" "10.0.0.1$n"
    lab_in "be$n" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
    ip -n "$LAB-be$n" address add "$DSR_VIP/32" dev lo
  done
  for n in 1 2 3 4; do lab_nginx "$n"; done
}

# tap NAME BRIDGE: with several queues.
tap() {
  lab_in host ip tuntap add dev "$1" mode tap multi_queue
  ip -n "$LAB-host" link set "$1" master "$2" up
}
