# shellcheck shell=bash
# The configurations of the scenarios. Sourced by lib.sh.
#
#   MODE          the forwarding mode; default: the lab's name
#   SCHEDULER     default: maglev
#   DATAPLANE     more keys for the section [dataplane]
#   SERVICE_KEYS  more keys for every service
#   XDP           how the interfaces are driven

# One-arm: what the backends see.
readonly POOL4=10.0.1.110 POOL6=fd00:1::110

mode() {
  echo "${MODE:-$(lab_topology)}"
}

# configure WEIGHT...: writes the configuration file; the weights are those of the web backends, in
# order, as many backends as weights. iperf3 opens two connections that must meet the same server,
# so its service has one backend.
configure() {
  write_config "$@" >"$(config_file)"
}

write_config() {
  local mode web_port=8080
  mode=$(mode)
  keeps_port "$mode" && web_port=80
  write_node
  service web4 "$VIP4" 80 tcp "$mode" "$web_port" lab_backend4 "$@"
  service web6 "$VIP6" 80 tcp "$mode" "$web_port" lab_backend6 "$@"
  service dns4 "$VIP4" 53 udp "$mode" 53 lab_backend4 100 100 100
  service dns6 "$VIP6" 53 udp "$mode" 53 lab_backend6 100 100 100
  service iperf4 "$VIP4" 5201 tcp "$mode" 5201 lab_backend4 100
  service iperf6 "$VIP6" 5201 tcp "$mode" 5201 lab_backend6 100
}

# The modes in which the backend is found at the service's own port.
keeps_port() {
  [[ $1 == dsr || $1 == tunnel ]]
}

# All but the services.
write_node() {
  cat <<TOML
[node]
name = "lab"
run_dir = "$LAB_DIR/run"
cluster = "lab"

[dataplane]
flows = ${FLOWS:-65_536}
${DATAPLANE:-}
TOML
  interface eth0
  [[ $(lab_topology) == @(dsr|tunnel) ]] || interface eth1
}

interface() {
  printf '\n[[interface]]\nname = "%s"\nxdp = "%s"\n' "$1" "${XDP:-auto}"
  [[ $(lab_topology) != bridge ]] || printf 'bridge = "%s"\n' "$BRIDGE"
}

# service NAME VIP PORT PROTOCOL MODE BACKEND_PORT ADDRESS_OF WEIGHT...: PORT may be a range or "any";
# BACKEND_PORT may be empty.
service() {
  local name=$1 vip=$2 port=$3 protocol=$4 mode=$5 backend_port=$6 address_of=$7 n
  shift 7
  [[ $port =~ ^[0-9]+$ ]] && port="port = $port" || port="ports = \"$port\""
  cat <<TOML

[[service]]
name = "$name"
address = "$vip"
$port
protocol = "$protocol"
mode = "$mode"
scheduler = "${SCHEDULER:-maglev}"
$(mode_keys "$mode" "$address_of")
${SERVICE_KEYS:-}
TOML
  for ((n = 1; n <= $#; n++)); do
    printf '\n[[service.backend]]\naddress = "%s"\nweight = %s\n' "$("$address_of" "$n")" "${!n}"
    [[ -z $backend_port ]] || keeps_port "$mode" || printf 'port = %s\n' "$backend_port"
  done
}

# What a mode needs to know beside its name: the pool is of the backends' family.
mode_keys() {
  case $1 in
  one-arm) [[ $2 == *4 ]] && echo "snat_pool = [\"$POOL4\"]" || echo "snat_pool = [\"$POOL6\"]" ;;
  tunnel) echo "tunnel = { ${TUNNEL:-kind = \"ipip\"} }" ;;
  dsr) [[ -z ${DSCP:-} ]] || echo "dsr = { dscp = $DSCP }" ;;
  esac
}
