#!/usr/bin/env bash
# sentence: after its start the daemon has no more rights than it needs, in all of its threads and in what it starts, and a reload, a returning interface and scripts of checks work with them
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# NET_ADMIN NET_RAW BPF PERFMON IPC_LOCK SYS_NICE CHOWN SETUID SETGID KILL, as bits of capability.h.
mask=0
for bit in 12 13 39 38 14 23 0 7 6 5; do mask=$((mask | 1 << bit)); done
MASK=$(printf '%016x' "$mask")
readonly MASK

# has_only PID FIELD: in all threads of a process.
has_only() {
  local status
  for status in /proc/"$1"/task/*/status; do
    grep -Eq "^$2:\s+$MASK\$" "$status" || refute "$(grep Name "$status"): $(grep "$2" "$status"), not $MASK"
  done
}

# A guardian is a child of the daemon.
guardian() {
  pgrep -P "$(lab_pid penstockd)" -f -- --guard
}

has_status() {
  penstock --json interfaces | jq -e --arg xdp "$1" '.[] | select(.name == "eth1") | .xdp == $xdp' >/dev/null
}

begin router
web_servers
configure 100 100 100
vrrp_alone
# shellcheck disable=SC2016 # the script's own
sed -i 's/^name = "web4"$/&\nhealth = { check = "script", command = ["\/bin\/sh", "-c", "test $(id -u) != 0"], interval = "200ms", timeout = "2s" }/' "$(config_file)"
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
pid=$(lab_pid penstockd)
for field in CapEff CapPrm CapBnd; do has_only "$pid" "$field"; done
expect "there is a guardian" guardian
for field in CapEff CapBnd; do has_only "$(guardian)" "$field"; done
tasks=(/proc/"$pid"/task/*)
say "${#tasks[@]} threads and the guardian have $MASK"
wait_for 5 "a script's result" services_show '.[] | select(.name == "web4") | all(.backends[]; .checks[0].results > 2 and .checks[0].failures == 0)' >/dev/null ||
  refute "scripts do not run"
sed -i 's/weight = 100/weight = 99/' "$(config_file)"
penstock reload >/dev/null
expect "the VIP answers after a reload" vip_answers "$VIP4"

ip -n "$LAB-box" link delete eth1
wait_for 5 "the interface to be gone" has_status gone || refute "status does not say so"
lab_plug sw1 box box eth1 02:00:00:00:01:01
lab_address box eth1 10.0.1.1/24 fd00:1::1/64
wait_for 10 "the VIP to answer by the interface that is back" vip_answers "$VIP4" || refute "an interface that comes back cannot be used"
