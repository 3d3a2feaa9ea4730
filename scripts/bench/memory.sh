# shellcheck shell=bash
# In memory, without any network: testpmd's macswap over its null device, which makes up frames, beside
# our whole worker. To be sourced by scripts/compare.
#
# testpmd swaps two MAC addresses; our worker parses, checks, finds the flow among 65 536, rewrites,
# counts and follows the connection. So this is not a race: it says what part of the budget of a packet
# the framework's own floor is.

readonly memory_rounds=${WINDOWS:-5} testpmd_seconds=3

# One figure in Mpps: the median of testpmd's own report of each second. With huge pages, without which
# it has half of that; only while it runs, since our worker would take them, too.
testpmd_in_memory() {
  local lcores="0@$OUTER_CORE,1@$BOX_CORE" before
  before=$(</proc/sys/vm/nr_hugepages)
  echo $((before + 256)) >/proc/sys/vm/nr_hugepages
  # It ends when its standard input does.
  sleep "$((testpmd_seconds + 2))" |
    dpdk-testpmd --in-memory -m 256 --no-pci --no-telemetry --lcores "$lcores" --main-lcore 0 \
      --vdev net_null0 -- --forward-mode=macswap --nb-cores=1 --no-mlockall --total-num-mbufs=16384 \
      --auto-start --stats-period=1 2>/dev/null |
    awk '/Rx-pps:/ && $2 { print $2 / 1e6 }' | median
  echo "$before" >/proc/sys/vm/nr_hugepages
}

# One figure in Mpps, as criterion keeps it.
worker_in_memory() {
  local kept=target/criterion/pipeline/dsr_ipv4_64Ki/new/estimates.json
  taskset --cpu-list "$BOX_CORE" cargo bench --quiet --package penstock-benches --bench pipeline -- \
    --measurement-time "$testpmd_seconds" '^pipeline/dsr/ipv4/64Ki$' >/dev/null
  jq '64e3 / .median.point_estimate' "$kept"
}

median() {
  sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# row NAME FILE: median, lowest and highest of a file's lines, for people and as JSON.
row() {
  local median low high
  median=$(median <"$2") low=$(sort -n "$2" | head -n 1) high=$(sort -n "$2" | tail -n 1)
  printf '  %-40s %8.2f %8.2f %8.2f\n' "$1" "$median" "$low" "$high" >&2
  jq -n --arg name "$1" --argjson median "$median" --argjson low "$low" --argjson high "$high" \
    '{name: $name, rate: {median: $median, low: $low, high: $high}}'
}

compare_memory() {
  local round
  need dpdk-testpmd
  need jq
  for ((round = 1; round <= memory_rounds; round++)); do
    testpmd_in_memory >>"$BENCH_DIR/testpmd"
    worker_in_memory >>"$BENCH_DIR/worker"
  done
  printf '\n  %-40s %8s %8s %8s\n' 'Mpps in memory, one core' median lowest highest
  {
    row 'DPDK testpmd, net_null, macswap' "$BENCH_DIR/testpmd"
    row 'penstock worker, DSR, 64 Ki flows' "$BENCH_DIR/worker"
  } | jq -s '{unit: "Mpps", bars: .}' >benches/results/memory.json
}
