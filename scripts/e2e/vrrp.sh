# shellcheck shell=bash
# Two routers that have VIPs in turn: penstockd on the box, and whoever is its peer. Scenarios source it after
# lib.sh.

# shellcheck disable=SC2034 # lib.sh builds the lab with it
BACKENDS=0

# vrrp_config NAMESPACE KEYS: a daemon's file; the keys are those of its one [[vrrp]].
vrrp_config() {
  mkdir -p "$LAB_DIR/run-$1"
  cat >"$LAB_DIR/$1.toml" <<EOF
[node]
name = "$1"
run_dir = "$LAB_DIR/run-$1"
[dataplane]
cores = [0]
flows = 4096
[[interface]]
name = "eth0"
[[vrrp]]
name = "outside"
interface = "eth0"
vrid = 51
$2
EOF
}

# router_start NAMESPACE: penstockd there.
router_start() {
  lab_start "$1" "penstockd-$1" "$BIN/penstockd" --config "$LAB_DIR/$1.toml"
  wait_for 20 "penstockd on $1 to answer on its socket" router_answers "$1" || refute "penstockd does not start"
}

router_answers() {
  lab_alive "penstockd-$1" || exit 1 # no use in waiting for the dead
  router "$1" status
}

# router NAMESPACE VERB...
router() {
  local namespace=$1
  shift
  lab_in "$namespace" timeout 10 "$BIN/penstock" --socket "$LAB_DIR/run-$namespace/control.sock" "$@"
}

router_is() {
  [[ $(router "$1" --json vrrp | jq -r '.[0].state') == "$2" ]]
}

# becomes NAMESPACE STATE [SECONDS]
becomes() {
  wait_for "${3:-5}" "penstock on $1 to be $2" router_is "$1" "$2" || refute "penstock on $1 is not $2: $(router "$1" --json vrrp)"
}

# ---- a sync group of two, with an inner network that nobody but the two is in

readonly INNER=10.0.1.254
declare -rA PRIORITIES=([box]=250 [peer]=240)

inner_network() {
  lab_switch sw2
  lab_plug sw2 box box eth1 02:00:00:00:01:01
  lab_plug sw2 peer peer eth1 02:00:00:00:01:05
  lab_address box eth1 10.0.1.1/24 fd00:1::1/64
  lab_address peer eth1 10.0.1.5/24 fd00:1::5/64
}

# group_config NAMESPACE ADVERT-INTERVAL
group_config() {
  local keys="mac = \"interface\"
advert_interval = \"$2\"
priority = ${PRIORITIES[$1]}
sync_group = \"both\""
  vrrp_config "$1" "$keys
addresses = [\"$VIP4\"]
[[vrrp]]
name = \"inside\"
interface = \"eth1\"
vrid = 52
$keys
addresses = [\"$INNER\"]"
}

# ---- Keepalived on the peer

# keepalived_config GLOBAL KEYS: the keys are those of its one instance; addresses in VIPS.
keepalived_config() {
  cat >"$LAB_DIR/keepalived.conf" <<EOF
global_defs {
  router_id peer
  vrrp_garp_master_delay 1
  $1
}
vrrp_instance outside {
  interface eth0
  virtual_router_id 51
  $2
}
EOF
}

keepalived_start() {
  lab_start peer keepalived keepalived --dont-fork --log-console --log-detail --vrrp --dump-conf \
    --use-file "$LAB_DIR/keepalived.conf" --pid "$LAB_DIR/run/ka.pid" --vrrp_pid "$LAB_DIR/run/ka-vrrp.pid"
  wait_for 10 "keepalived to begin" grep -q 'Entering \(BACKUP\|MASTER\) STATE' "$LAB_DIR/log/keepalived.log" ||
    refute "keepalived does not start"
}

# Also of one that nobody has waited for.
has_no_program() {
  ! readlink "/proc/$1/exe" >/dev/null 2>&1
}

# All of its processes at once; the kernel would go on answering.
keepalived_kill() {
  local child
  child=$(cat "$LAB_DIR/run/ka-vrrp.pid")
  kill -s KILL "$(cat "$LAB_DIR/run/ka.pid")" "$child"
  lab_stop keepalived KILL
  # It may be about to put the address on: what is taken off then would come back.
  wait_for 5 "Keepalived's child to be gone" has_no_program "$child" || true
  local device address
  while read -r device address; do
    ip -n "$LAB-peer" address delete "$address" dev "$device"
  done < <(ip -n "$LAB-peer" -o address show | awk -v vip="$1/" 'index($4, vip) == 1 { print $2, $4 }')
  rm -f "$LAB_DIR/run/ka.pid" "$LAB_DIR/run/ka-vrrp.pid"
}

# peer_has VIP: on whatever device.
peer_has() {
  ip -n "$LAB-peer" address show | grep -qF " $1/"
}

peer_lacks() {
  ! peer_has "$1"
}

# ---- who answers

# answered_by VIP MAC: the client's neighbour, and an echo.
answered_by() {
  lab_in client ping -qc1 -W1 "$1" && ip -n "$LAB-client" neighbour show "$1" | grep -q "lladdr $2 "
}

is_answered_by() {
  wait_for 5 "$1 to be answered by $2" answered_by "$1" "$2" ||
    refute "$1 is not answered by $2: $(ip -n "$LAB-client" neighbour show "$1")"
}

probe_has_a_socket() {
  lab_in client ss -Hwan | grep -q .
}

# probe_begin VIP / probe_end NAME: an echo each millisecond; LOST and OUTAGE.
probe_begin() {
  lab_start client probe python3 "$E2E/../lab/probe.py" "$1"
  wait_for 10 "the probe to have its socket" probe_has_a_socket
  sleep 0.3 # the first of them, for there to be something to lose
}

probe_end() {
  lab_stop probe
  # shellcheck disable=SC2034 # for scenarios to judge
  LOST=$(jq .lost "$LAB_DIR/log/probe.log") OUTAGE=$(jq .outage_ms "$LAB_DIR/log/probe.log")
  say "$1: $(cat "$LAB_DIR/log/probe.log")"
}
