# shellcheck shell=bash
# The lab: a client, the box and some backends, each in a network namespace of its own, joined by
# veth pairs. To be sourced; `scripts/lab/lab` is the command, topologies.sh says what there is.
#
# A lab is a directory under $LAB_ROOT, named as the prefix of its namespaces. It belongs to a
# process; `lab_sweep` removes labs whose owner is gone, so a crash leaves nothing for long.
#
# TX checksum offload is off on every device: on a veth pair it leaves the checksum to hardware that does not exist, and
# captures would show it wrong. The scenario unfinished-checksums has it on.

# shellcheck source-path=SCRIPTDIR source=topologies.sh
. "$(dirname "${BASH_SOURCE[0]}")/topologies.sh"

LAB_ROOT=${PENSTOCK_LAB_ROOT:-/tmp/penstock-lab}
LAB=${LAB:-}         # the prefix of the namespaces' names
LAB_DIR=${LAB_DIR:-} # its directory: owner, topology, log/, pid/, one folder per server

# What other scripts refer to.
readonly VIP4=10.0.0.100 VIP6=fd00::100
readonly CLIENT4=10.0.0.2 CLIENT6=fd00::2
readonly BOX4=10.0.0.1 BOX6=fd00::1
readonly PEER4=10.0.0.5 PEER6=fd00::5
# One for each mode; and two boxes.
readonly MODE_TOPOLOGIES=(router dsr bridge one-arm tunnel)
readonly TOPOLOGIES=("${MODE_TOPOLOGIES[@]}" pair)

lab_fail() {
  printf 'lab: %s\n' "$*" >&2
  return 1
}

# ---- owner and directory

# A process is its number and its start time: numbers come round again.
lab_process() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  set -- "$1" "$stat"
  # shellcheck disable=SC2086 # fields of stat, from the third on
  set -- "$1" $stat
  printf '%s %s\n' "$1" "${21}"
}

lab_owned() {
  local owner
  owner=$(cat "$1/owner" 2>/dev/null) || return 1
  [[ $owner == kept || $(lab_process "${owner% *}") == "$owner" ]]
}

lab_use() {
  LAB=$1
  LAB_DIR=$LAB_ROOT/$LAB
  [[ -d $LAB_DIR ]] || lab_fail "there is no lab $LAB: scripts/lab/lab list shows them"
}

# The directory appears whole, owner included: a lab without an owner is swept by the next that comes.
lab_create() {
  local owner=$1 try draft=$LAB_ROOT/.new$BASHPID
  for try in '' a b c d e f; do
    mkdir -p "$draft"/{log,pid,run} || continue # another lab's end may have removed the root
    lab_process "$owner" >"$draft/owner"
    LAB=ps$BASHPID$try LAB_DIR=$LAB_ROOT/ps$BASHPID$try
    mv -T "$draft" "$LAB_DIR" 2>/dev/null && return
  done
  LAB='' LAB_DIR=''
  lab_fail "no free name under $LAB_ROOT"
}

# ---- waiting, running

# wait_for SECONDS WHAT COMMAND...: until the command succeeds. Bash's own SECONDS is too coarse for
# a deadline of one second.
wait_for() {
  local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((${EPOCHREALTIME/[.,]/} < deadline)) || lab_fail "waited in vain: $what" || return
    sleep 0.05
  done
}

# lab_in NAMESPACE COMMAND...
lab_in() {
  local namespace=$LAB-$1
  shift
  ip netns exec "$namespace" "$@"
}

# lab_start NAMESPACE NAME COMMAND...: in the background, output to log/NAME.log.
lab_start() {
  local namespace=$1 name=$2
  shift 2
  # `ip netns exec` becomes the command, so this is the command's process number. The lab's own
  # output must not be held open by a server.
  ip netns exec "$LAB-$namespace" "$@" >"$LAB_DIR/log/$name.log" 2>&1 </dev/null &
  echo $! >"$LAB_DIR/pid/$name"
}

lab_pid() {
  cat "$LAB_DIR/pid/$1"
}

lab_alive() {
  local pid state
  pid=$(cat "$LAB_DIR/pid/$1" 2>/dev/null) || return 1
  state=$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null) || return 1
  [[ -n $state && $state != Z ]]
}

lab_gone() {
  ! lab_alive "$1"
}

# lab_stop NAME [SIGNAL]: and wait for its end; after ten seconds with force.
lab_stop() {
  local name=$1 signal=${2:-TERM} pid
  pid=$(cat "$LAB_DIR/pid/$name" 2>/dev/null) || return 0
  kill -s "$signal" "$pid" 2>/dev/null || true
  if ! wait_for 10 "$name to end" lab_gone "$name"; then
    kill -s KILL "$pid" 2>/dev/null || true
    wait_for 5 "$name to be killed" lab_gone "$name"
  fi
  wait "$pid" 2>/dev/null || true
  rm -f "$LAB_DIR/pid/$name"
}

lab_listens() {
  lab_in "$1" ss -Hlnt "sport = :$2" | grep -q .
}

# ---- wiring

lab_namespace() {
  ip netns add "$LAB-$1"
  # No duplicate address detection: addresses work from the first packet on.
  lab_in "$1" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 \
    net.ipv6.conf.default.accept_ra=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
  ip -n "$LAB-$1" link set lo up
}

# lab_wire NAMESPACE DEVICE MAC NAMESPACE DEVICE MAC
lab_wire() {
  local queues="numrxqueues 2 numtxqueues 2"
  # shellcheck disable=SC2086 # several words
  ip link add name "$2" address "$3" netns "$LAB-$1" $queues type veth \
    peer name "$5" address "$6" netns "$LAB-$4" $queues
  lab_plain "$1" "$2"
  lab_plain "$4" "$5"
}

# Checksums by hand, and the device up.
lab_plain() {
  lab_in "$1" ethtool -K "$2" tx off >/dev/null
  ip -n "$LAB-$1" link set "$2" up
}

lab_switch() {
  lab_namespace "$1"
  ip -n "$LAB-$1" link add br0 type bridge mcast_snooping 0
  lab_plain "$1" br0
}

# lab_plug SWITCH PORT NAMESPACE DEVICE MAC
lab_plug() {
  local mac_of_port=06:${5#*:}
  lab_wire "$3" "$4" "$5" "$1" "$2" "$mac_of_port"
  ip -n "$LAB-$1" link set "$2" master br0
}

# lab_address NAMESPACE DEVICE IPV4/LENGTH IPV6/LENGTH
lab_address() {
  ip -n "$LAB-$1" address add "$3" dev "$2"
  ip -n "$LAB-$1" address add "$4" dev "$2" nodad
}

lab_default_route() {
  ip -n "$LAB-$1" route add default via "$2"
  ip -n "$LAB-$1" route add default via "$3"
}

lab_box() {
  lab_namespace box
  lab_in box sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
    net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
}

# ---- the start

lab_backends() {
  cat "$LAB_DIR/backends"
}

lab_topology() {
  cat "$LAB_DIR/topology"
}

# lab_up TOPOLOGY BACKENDS [OWNER]: sets LAB and LAB_DIR.
lab_up() {
  local topology=$1 backends=$2 owner=${3:-$$}
  [[ $EUID -eq 0 ]] || lab_fail "network namespaces need root" || return
  [[ " ${TOPOLOGIES[*]} " == *" $topology "* ]] || lab_fail "no topology $topology: ${TOPOLOGIES[*]}" || return
  lab_sweep
  lab_create "$owner" || return
  echo "$topology" >"$LAB_DIR/topology"
  echo "$backends" >"$LAB_DIR/backends"
  "lab_wire_$topology" "$backends"
  wait_for 10 "the lab's hosts to reach each other" lab_is_whole
}

# ---- the end

lab_namespaces() {
  ip netns list | awk -v prefix="$LAB-" 'index($1, prefix) == 1 { print $1 }'
}

# Everything that runs in the lab's namespaces was started for the lab.
lab_down() {
  [[ -n $LAB && -d $LAB_DIR ]] || return 0
  local namespace pid
  for namespace in $(lab_namespaces); do
    for pid in $(ip netns pids "$namespace"); do
      kill -s KILL "$pid" 2>/dev/null || true
      wait "$pid" 2>/dev/null || true # reaps it, if it is this shell's own
    done
    ip netns delete "$namespace"
  done
  rm -rf "$LAB_DIR"
  rmdir "$LAB_ROOT" 2>/dev/null || true
  LAB='' LAB_DIR=''
}

# Leaves the lab for a human to look at.
lab_keep() {
  echo kept >"$LAB_DIR/owner"
  printf 'lab: %s is left up, its files are in %s; remove it with: scripts/lab/lab down %s\n' "$LAB" "$LAB_DIR" "$LAB"
}

lab_sweep() {
  local directory
  for directory in "$LAB_ROOT"/ps*; do
    [[ -d $directory ]] || continue
    lab_owned "$directory" || (lab_use "${directory##*/}" && lab_down)
  done
}
