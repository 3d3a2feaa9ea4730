#!/usr/bin/env bash
# sentence: what cannot start says why and what to do, and leaves nothing behind; penstock doctor says so before
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# refused WHAT PATTERN [RUNNER...]: penstockd ends with status 1, and its log has the pattern; without a runner, who lacks
# rights that doctor has, so does penstock doctor.
refused() {
  local what=$1 pattern=$2 log=$LAB_DIR/log/refused.log status=0
  shift 2
  lab_in box timeout 20 "$@" "$BIN/penstockd" --config "$(config_file)" >"$log" 2>&1 || status=$?
  ((status == 1)) || refute "$what: status $status instead of 1: $(tail -n 3 "$log")"
  grep -Eq "$pattern" "$log" || refute "$what: not said: $pattern; said: $(tail -n 3 "$log")"
  if (($# == 0)) && lab_in box "$BIN/penstock" doctor --config "$(config_file)" >"$LAB_DIR/said" 2>&1; then
    refute "$what: penstock doctor finds no problem: $(cat "$LAB_DIR/said")"
  fi
  say "$what: $(grep -E "$pattern" "$log" | head -n 1 | cut -c1-200)"
  expect "no XDP program stays" test -z "$(xdp_on eth0)"
  expect "no socket stays" test ! -e "$(control_socket)"
}

begin router

configure 100 100 100
sed -i 's/name = "eth1"/name = "eth9"/' "$(config_file)"
refused "an interface that is not there" 'no interface "eth9".*eth0'

DATAPLANE='cores = [0, 1]'
configure 100 100 100
lab_in box ethtool -L eth1 rx 1 tx 1
refused "fewer queues than workers" 'eth1: .*1 queues for 2 workers.*ethtool -L eth1'
lab_in box ethtool -L eth1 rx 2 tx 2

DATAPLANE='cores = [99]'
configure 100 100 100
refused "a core that is not there" 'penstock.toml:[0-9]+:[0-9]+'

DATAPLANE='hugepages = "require"'
configure 100 100 100
refused "huge pages that are not there" 'vm.nr_hugepages'

XDP=zero-copy DATAPLANE=
configure 100 100 100
refused "zero-copy on a driver without it" 'no zero-copy.*xdp = "auto"'

XDP=auto
configure 100 100 100
mkdir -p "$LAB_DIR/run"
refused "a directory that is not one's own" 'cannot listen at .*runs as root' setpriv --reuid=65534 --clear-groups --inh-caps=-all
chmod 777 "$LAB_DIR/run"
refused "missing rights" 'this needs root or CAP_' setpriv --reuid=65534 --clear-groups --inh-caps=-all
lab_in box ip link set dev eth0 mtu 9000 2>/dev/null || lab_in client ip link set dev eth0 mtu 9000
lab_in box ip link set dev eth0 mtu 9000
refused "an MTU that does not fit" 'eth0: .*MTU of 9000.*mtu 1500'
lab_in box ip link set dev eth0 mtu 1500

cat >>"$(config_file)" <<TOML
[[service]]
name = "pool"
address = "10.0.0.120"
port = 80
mode = "one-arm"
snat_pool = ["$BOX4"]
[[service.backend]]
address = "10.0.1.11"
TOML
refused "a pool address of the box itself" "snat_pool has $BOX4"

configure 100 100 100
printf '[metrics]\nlisten = "192.0.2.99:9580"\n' >>"$(config_file)"
refused "an address for metrics that is not the box's" 'cannot listen at 192.0.2.99'

configure 100 100 100
ip -n "$LAB-box" link add strange type bridge
ip -n "$LAB-box" link set eth1 master strange
sed -i 's/^name = "eth[01]"/&\nbridge = "br-inline"/' "$(config_file)"
refused "a port of another bridge" 'is a port of "strange"'
ip -n "$LAB-box" link delete strange

printf 'not a configuration' >"$(config_file)"
refused "a file that is no configuration" 'penstock.toml:1:[0-9]+'
rm "$(config_file)"
refused "a file that is not there" 'cannot read .*penstock.toml'
