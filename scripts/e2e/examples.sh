#!/usr/bin/env bash
# sentence: every example of configs/ runs as it is, its backends are prepared by the commands in its comments, and each of its services carries requests
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

# The lab that looks like the drawing of the file. One-arm has the box beside the router, as tunnels have.
declare -rA LABS=([bridge]=bridge [router]=router [one-arm]=tunnel [dsr]=dsr [tunnel]=tunnel)
BACKENDS=2

# as_in_the_lab FILE: the lab's addresses of IPv6 are no documentation addresses.
as_in_the_lab() {
  sed -e 's/2001:db8:/fd00:/g' -e '/^run_dir/d' -e "/^\[node\]$/a run_dir = \"$LAB_DIR/run\"" "$1"
}

# make_bare MODE: what the lab does to backends for other scenarios is undone, so that the commands of the
# file must be enough.
make_bare() {
  local n family
  for ((n = 1; n <= BACKENDS; n++)); do
    lab_in "be$n" sysctl -qw net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.all.arp_announce=0
    ip -n "$LAB-be$n" address flush dev lo scope global
    ip -n "$LAB-be$n" -6 address flush dev lo scope global
    [[ $1 != router ]] || for family in -4 -6; do ip -n "$LAB-be$n" "$family" route delete default; done
  done
}

# The commands in the comments are those that stand three spaces in; the addresses are be1's.
commands() {
  sed -nE 's/^#   ((ip|sysctl|nft|penstock-decap) .*)/\1/p' "$(config_file)"
}

# obey NAMESPACE COMMAND
obey() {
  say "$1: $2"
  case $2 in
  penstock-decap\ *)
    # shellcheck disable=SC2086 # the arguments
    lab_start "$1" "decap-$1" "$BIN/penstock-decap" ${2#* }
    wait_for 10 "penstock-decap of $1" grep -q ready "$LAB_DIR/log/decap-$1.log" || refute "penstock-decap does not start"
    ;;
  *) lab_in "$1" bash -c "$2" >/dev/null || refute "the command in the comments fails" ;;
  esac
}

obey_on_backends() {
  local n command
  for ((n = 1; n <= BACKENDS; n++)); do
    while read -r command; do
      obey "be$n" "$command"
    done < <(commands | sed -e "s/10\.0\.1\.11/$(lab_backend4 "$n")/g" -e "s/fd00:1::11/$(lab_backend6 "$n")/g")
  done
}

# In bridge mode the commands are for the box, once there is a bridge, and backends need none.
obey_on_box() {
  local command
  wait_for 10 "the bridge $BRIDGE" ip -n "$LAB-box" link show "$BRIDGE" || refute "there is no bridge"
  while read -r command; do obey box "$command"; done < <(commands)
}

# box_has ADDRESS/LENGTH...
box_has() {
  local address
  for address in "$@"; do [[ $(ip -n "$LAB-box" address show dev "$BRIDGE") == *" $address "* ]] || return; done
}

# start_example MODE
start_example() {
  [[ $1 == bridge ]] || obey_on_backends
  lab_start box penstockd "$BIN/penstockd" --config "$(config_file)"
  wait_for 20 "penstockd to answer on its socket" daemon_answers || refute "penstockd does not start"
  [[ $1 == bridge ]] || return 0
  obey_on_box
  expect "the box has its address in the segment" box_has "$BOX4/24" "$BOX6/64"
  lab_bridge_ready || refute "the bridge does not work"
}

# target ADDRESS PORTS: an address and port of the service on which the web servers listen.
target() {
  local address=$1 port=$2
  [[ $address != */* ]] || address=$(python3 -c 'import ipaddress, sys; print(ipaddress.ip_network(sys.argv[1])[5])' "$1")
  case $port in
  any) port=80 ;;
  *-*) port=8080 ;;
  esac
  with_port "$address" "$port"
}

# names_by_http TARGET, names_by_dns ADDRESS: which servers answer 20 requests.
names_by_http() {
  local i
  for ((i = 0; i < 20; i++)); do curl_ --max-time 5 "$(url "$1")/" || return; done | sort -u | xargs
}

names_by_dns() {
  local i
  for ((i = 0; i < 20; i++)); do lab_in client dig +short +time=2 +tries=1 "@$1" who.test.penstock TXT || return; done |
    tr -d '"' | sort -u | xargs
}

# carries NAME ADDRESS PORTS PROTOCOL
carries() {
  local name=$1 target names
  if [[ $4 == udp ]]; then
    target=$2
    wait_for 10 "$name to answer" lab_in client dig +time=1 +tries=1 "@$target" who.test.penstock TXT ||
      refute "$name does not answer"
    names=$(names_by_dns "$target") || refute "not every query to $name is answered"
  else
    target=$(target "$2" "$3")
    wait_for 10 "$name to answer" vip_answers "$target" || refute "$name does not answer"
    names=$(names_by_http "$target") || refute "not every request to $name is answered"
    # Full segments: in tunnels there must be room for the wrapping, too.
    upload_is_intact "$target" "$LAB_DIR/5M"
  fi
  say "$name, $4 $target: $names"
  [[ $names == "be1 be2" ]] || refute "$name is not answered by both of its backends"
  [[ $2 == */* ]] || echo_is_answered "$2"
}

# only_seen LOG ADDRESS...: those, and nobody else, are the log's clients.
only_seen() {
  local log=$1 seen
  shift
  seen=$(awk '{ print $1 }' "$log" | sort -u | xargs)
  [[ $seen == "$(printf '%s\n' "$@" | sort -u | xargs)" ]] || refute "${log#"$LAB_DIR"/} names $seen, not $*"
}

# The client's own address; in one-arm mode those of the pool, and the client's by the PROXY protocol.
clients_are_seen() {
  local n
  for ((n = 1; n <= BACKENDS; n++)); do
    if [[ $1 == one-arm ]]; then
      only_seen "$LAB_DIR/be$n/access.log" 10.0.0.110 fd00::110
      only_seen "$LAB_DIR/be$n/proxy.log" "$CLIENT4"
    else
      only_seen "$LAB_DIR/be$n/access.log" "$CLIENT4" "$CLIENT6"
    fi
  done
}

# drops_none REASON
drops_none() {
  penstock --json stats | jq -e ".drops[] | select(.code == \"$1\") | .count == 0" >/dev/null
}

# runs FILE
runs() {
  local file=$1 mode name address ports protocol told n
  mode=$(basename "$file" .toml)
  [[ -n ${LABS[$mode]:-} ]] || refute "there is no lab for $file"
  begin "${LABS[$mode]}"
  make_bare "$mode"
  for ((n = 1; n <= BACKENDS; n++)); do
    lab_nginx "$n"
    lab_dnsmasq "$n"
  done
  head -c 5000000 /dev/urandom >"$LAB_DIR/5M"
  told=$("$BIN/penstock" check "$file" 2>&1) || refute "$file is refused: $told"
  [[ $(wc -l <<<"$told") == 1 && $told == *": correct;"* ]] || refute "$file has warnings: $told"
  as_in_the_lab "$file" >"$(config_file)"
  start_example "$mode"
  services_show "length > 0 and all(.mode == \"$mode\")" >/dev/null || refute "$file is not about $mode mode alone"
  while read -r name address ports protocol; do
    carries "$name" "$address" "$ports" "$protocol"
  done < <(penstock --json services | jq -r '.[] | "\(.name) \(.address) \(.ports) \(.protocol)"')
  expect "every backend of every service has got flows" services_show 'all(.[].backends[]; .total_flows > 0)' >/dev/null
  clients_are_seen "$mode"
  expect "every segment fits, also into a tunnel" drops_none too-long
  expect "penstockd still answers" daemon_lives
  lab_down
}

for file in "$ROOT"/configs/*.toml; do
  # A list of keys, not a network.
  [[ $file != */reference.toml ]] || continue
  say "${file##*/}"
  runs "$file"
done
