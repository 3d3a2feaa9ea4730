# shellcheck shell=bash
# What the benches with real traffic share. To be sourced from the repository's root. Each builds
# network namespaces of its own, and removes them however it ends; traffic stays inside them.
set -euo pipefail

BOX_CORE=${BOX_CORE:-1} OUTER_CORE=${OUTER_CORE:-0}
BENCH=pbn$$ # the prefix of the namespaces' names
BENCH_DIR=
namespaces=()
softirqs= # ksoftirqd's number, while it is hastened

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Everything of ours lives in the namespaces.
clean_up() {
  local status=$? namespace pid
  trap - EXIT
  exec 2>/dev/null # all is said; bash would tell of each job that is killed
  for namespace in "${namespaces[@]}"; do
    for pid in $(ip netns pids "$namespace"); do
      kill -KILL "$pid" || true
    done
    ip netns delete "$namespace" || true
  done
  [[ -z $softirqs ]] || renice -n 0 -p "$softirqs" >/dev/null
  [[ -z $BENCH_DIR ]] || rm -rf "$BENCH_DIR"
  exit "$status"
}

begin() {
  [[ $EUID -eq 0 ]] || fail 'run this as root: it builds network namespaces'
  trap clean_up EXIT
  trap 'exit 130' INT TERM
  BENCH_DIR=$(mktemp -d)
  mkdir "$BENCH_DIR/run"
}

# namespace NAME
namespace() {
  ip netns add "$BENCH-$1"
  namespaces+=("$BENCH-$1")
  # No frames but ours, and no guesses about where they come from.
  ip netns exec "$BENCH-$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 \
    net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
    net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
  ip -n "$BENCH-$1" link set lo up
}

in_() {
  local namespace=$BENCH-$1
  shift
  ip netns exec "$namespace" "$@"
}

# veth_pair NAMESPACE DEVICE MAC NAMESPACE DEVICE MAC: of one queue. Checksums by hand: what leaves by
# AF_XDP is never completed by anybody.
veth_pair() {
  ip link add "$2" netns "$BENCH-$1" address "$3" numrxqueues 1 numtxqueues 1 type veth \
    peer name "$5" netns "$BENCH-$4" address "$6" numrxqueues 1 numtxqueues 1
  in_ "$1" ethtool -K "$2" tx off >/dev/null
  in_ "$4" ethtool -K "$5" tx off >/dev/null
  ip -n "$BENCH-$1" link set "$2" up
  ip -n "$BENCH-$4" link set "$5" up
}

# receive_on NAMESPACE DEVICE CORE: what the device receives is worked on by a kernel thread on that
# core, and not, as is usual on veth, on the sender's. The device must have a name that no other
# namespace has. GRO is what makes veth receive by NAPI also without an XDP program.
receive_on() {
  local pid
  in_ "$1" ethtool -K "$2" gro on
  in_ "$1" bash -c "echo 1 >/sys/class/net/$2/threaded"
  pid=$(pgrep "^napi/$2-") || fail "$2 has no thread to receive by"
  taskset --cpu-list --pid "$3" "$pid" >/dev/null
  # Ahead of all processes, as softirqs would be.
  chrt --rr --pid 2 "$pid"
}

# prioritized COMMAND...: so that other jobs of the machine disturb less. The kernel may weigh sessions
# against each other rather than processes (sched_autogroup_enabled), hence a session with a weight.
# In the background, so that a signal to this script is heard at once.
prioritized() {
  setsid --wait bash -c '
    { echo -20 >/proc/self/autogroup; } 2>/dev/null || true
    exec nice -n -20 "$@"' prioritized "$@" &
  wait $!
}

# The thread that does a core's softirqs when they become many: with the weight of those that compete
# with them. Put back by clean_up.
hasten_softirqs() {
  softirqs=$(pgrep --exact "ksoftirqd/$1")
  renice -n -20 -p "$softirqs" >/dev/null
}

need() {
  command -v "$1" >/dev/null || fail "$1 is missing: scripts/setup and scripts/setup-benches install what is needed"
}

# Apart from each other: together, the daemon would be built with the bench's features.
build() {
  [[ -z ${NO_BUILD:-} ]] || return 0 # for many short runs in a row
  cargo build --release --quiet --package penstock-mgmt --bins
  cargo build --release --quiet --package penstock-benches --bins
}
