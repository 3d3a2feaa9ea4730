# shellcheck shell=bash
# The CPU time that a short TCP connection costs the box, one-arm. To be sourced by scripts/compare.
#
#   client, on a bridge br0 ── port ──── the box's only interface
#                            └ port ──── server
#
# The box's interface is told of what has arrived after a pause, as a network card would: without one, and
# with a core that has nothing else to do, each frame would wake it by itself.
#
#   WINDOWS=5           windows of each contestant and load
#   CONNECTIONS=20000   connections of a window, AT_A_TIME=128
#   LOADS=0/50,0/200    connections per second (0: as many as there can be) / microseconds of the pause
#
# Outside the box all runs on the outer core, in the box all on the box core: each end's frames are
# received by a kernel thread that is pinned (see receive_on).

readonly box_device=bx$$ box_port=px$$
readonly backends=16

connections_network() {
  local last
  for last in client box server; do namespace "$last"; done
  ip -n "$BENCH-client" link add br0 type bridge mcast_snooping 0
  in_ client ethtool -K br0 tx off >/dev/null
  veth_pair client "$box_port" 02:00:00:00:02:01 box "$box_device" 02:00:00:00:02:02
  veth_pair client v0 02:00:00:00:03:01 server s0 02:00:00:00:03:02
  ip -n "$BENCH-client" link set "$box_port" master br0
  ip -n "$BENCH-client" link set v0 master br0
  ip -n "$BENCH-client" link set br0 up
  receive_on box "$box_device" "$BOX_CORE"
  receive_on client "$box_port" "$OUTER_CORE"
  ip -n "$BENCH-box" address add 10.0.0.1/24 dev "$box_device"
  in_ box sysctl -qw net.ipv4.ip_forward=1 net.ipv4.ip_local_port_range="1024 65535" net.ipv4.tcp_tw_reuse=1
  for last in {128..143}; do ip -n "$BENCH-client" address add "10.0.0.$last/24" dev br0; done
  for last in $(backend_numbers); do ip -n "$BENCH-server" address add "10.0.0.$last/24" dev s0; done
  in_ client sysctl -qw net.ipv4.tcp_max_tw_buckets=1048576 net.ipv4.ip_local_port_range="1024 65535"
  in_ server sysctl -qw net.core.somaxconn=8192 net.ipv4.tcp_max_syn_backlog=8192
  in_ box sysctl -qw net.core.somaxconn=8192 net.ipv4.tcp_max_syn_backlog=8192
}

backend_numbers() {
  seq 11 $((10 + backends))
}

penstock_configuration() {
  cat <<TOML
[node]
name = "bench"
run_dir = "$BENCH_DIR/run"
cluster = "bench"

[dataplane]
cores = [$BOX_CORE]
poll = "adaptive"
flows = 1_048_576

[[interface]]
name = "$box_device"

[[service]]
name = "web"
address = "10.0.0.100"
port = 80
mode = "one-arm"
snat_pool = ["10.0.0.110-10.0.0.113"]
TOML
  backend_numbers | awk '{ printf "\n[[service.backend]]\naddress = \"10.0.0.%d\"\nport = 8080\n", $1 }'
}

# Without logs, checks or limits that would cost or hold up.
haproxy_configuration() {
  cat <<CFG
global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen web
  bind 10.0.0.100:80 backlog 8192
  balance roundrobin
CFG
  backend_numbers | awk '{ printf "  server s%d 10.0.0.%d:8080\n", $1, $1 }'
}

nftables_configuration() {
  cat <<NFT
table ip bench {
  chain prerouting {
    type nat hook prerouting priority dstnat
    ip daddr 10.0.0.100 tcp dport 80 dnat to numgen inc mod $backends map {
$(backend_numbers | awk '{ printf "      %d : 10.0.0.%d,\n", NR - 1, $1 }')
    } : 8080
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    tcp dport 8080 masquerade
  }
}
NFT
}

# compare_connections CONTESTANTS
compare_connections() {
  need haproxy
  need nft
  connections_network
  penstock_configuration >"$BENCH_DIR/penstock.toml"
  haproxy_configuration >"$BENCH_DIR/haproxy.cfg"
  nftables_configuration >"$BENCH_DIR/rules.nft"
  ip netns exec "$BENCH-server" taskset --cpu-list "$OUTER_CORE" target/release/connections serve &
  prioritized ip netns exec "$BENCH-client" taskset --cpu-list "$OUTER_CORE" \
    target/release/connections measure --namespace "$BENCH-box" --device "$box_device" --core "$BOX_CORE" \
    --penstockd target/release/penstockd --directory "$BENCH_DIR" \
    --windows "${WINDOWS:-5}" --connections "${CONNECTIONS:-20000}" --at-a-time "${AT_A_TIME:-128}" \
    --loads "${LOADS:-0/50,0/200}" --contestants "$1"
}
