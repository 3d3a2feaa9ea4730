# shellcheck shell=bash
# Packets per second through the box, in at one interface and out at the other. To be sourced by
# scripts/compare and scripts/bench-veth.
#
#   generator ── g0 │ eth0 [box] eth1 │ s0 ── sink
#
# Generator, sink and the receiving half of eth0's driver run on the outer core for all contestants: the
# driver hands frames over to the box core, by an AF_XDP ring or, where the kernel forwards, by RPS. What
# forwards, and all of sending, runs on the box core.
#
#   WINDOWS=7           windows of each contestant
#   SECONDS_EACH=2      seconds of a window
#   FLOWS=65536         distinct source addresses, a power of two up to 131072

readonly ingress_mac=02:00:00:00:00:01 egress_mac=02:00:00:00:01:01
readonly generator_mac=02:00:00:00:00:02 sink_mac=02:00:00:00:01:02

forwarding_network() {
  local last
  namespace outside
  namespace box
  veth_pair outside g0 "$generator_mac" box eth0 "$ingress_mac"
  veth_pair outside s0 "$sink_mac" box eth1 "$egress_mac"
  ip -n "$BENCH-box" address add 10.0.0.1/24 dev eth0
  ip -n "$BENCH-box" address add 10.0.1.1/24 dev eth1
  for last in {11..26}; do
    ip -n "$BENCH-box" neighbour replace "10.0.1.$last" lladdr "$sink_mac" dev eth1 nud permanent
  done
  # For the kernel. Its ceiling is to send all on, to the address that has no translation.
  in_ box sysctl -qw net.ipv4.ip_forward=1
  ip -n "$BENCH-box" route add 10.0.0.100/32 via 10.0.1.11 dev eth1
  in_ box bash -c "printf '%x' $((1 << BOX_CORE)) >/sys/class/net/eth0/queues/rx-0/rps_cpus"
}

# dns_service MODE: the VIP is also in benches/src/bin/veth/main.rs.
dns_service() {
  local last
  cat <<TOML
[node]
name = "bench"
run_dir = "$BENCH_DIR/run"
cluster = "bench"

[dataplane]
cores = [$BOX_CORE]
poll = "busy"
flows = 262_144
flow_timeouts = { udp = "10m" }

[[interface]]
name = "eth0"

[[interface]]
name = "eth1"

[[service]]
name = "dns"
address = "10.0.0.100"
port = 53
protocol = "udp"
mode = "$1"
scheduler = "maglev"
TOML
  for last in {11..26}; do
    printf '\n[[service.backend]]\naddress = "10.0.1.%s"\n' "$last"
  done
}

dns_rules() {
  local last
  printf 'table ip bench {\n  chain prerouting {\n    type nat hook prerouting priority dstnat\n'
  printf '    ip daddr 10.0.0.100 udp dport 53 dnat to jhash ip saddr . udp sport mod 16 map {\n'
  for last in {11..26}; do printf '      %s : 10.0.1.%s,\n' $((last - 11)) "$last"; done
  printf '    }\n  }\n}\n'
}

# compare_forwarding CONTESTANTS [OPTION...]
compare_forwarding() {
  forwarding_network
  hasten_softirqs "$BOX_CORE"
  dns_service dsr >"$BENCH_DIR/dsr.toml"
  dns_service router >"$BENCH_DIR/router.toml"
  dns_rules >"$BENCH_DIR/rules.nft"
  prioritized ip netns exec "$BENCH-outside" taskset --cpu-list "$OUTER_CORE" target/release/veth measure \
    --namespace "$BENCH-box" --ingress "$ingress_mac" \
    --penstockd target/release/penstockd --penstock target/release/penstock --directory "$BENCH_DIR" \
    --core "$BOX_CORE" --outer-core "$OUTER_CORE" --contestants "$1" \
    --windows "${WINDOWS:-7}" --seconds "${SECONDS_EACH:-2}" --warm-up 1 --flows "${FLOWS:-65536}" "${@:2}"
}
