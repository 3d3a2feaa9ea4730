#!/usr/bin/env bash
# sentence: interfaces, scripts, files and services move a virtual router's priority or take it out, groups move together, and the notify script is told of each state
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=vrrp.sh
. "$E2E/vrrp.sh"

priority_is() {
  [[ $(router box --json vrrp | jq '.[0].effective_priority') == "$1" ]]
}

has_priority() {
  wait_for 5 "a priority of $1" priority_is "$1" || refute "the priority is not $1: $(router box --json vrrp)"
}

inside_is_out() {
  [[ $(router box --json vrrp | jq -r '.[1].state') == fault ]]
}

begin pair
# Unprivileged scripts must be able to get there.
chmod 755 "$LAB_DIR"
ip -n "$LAB-box" link add uplink type veth peer name far-end
ip -n "$LAB-box" link set far-end up
ip -n "$LAB-box" link set uplink up
touch "$LAB_DIR/alive"
chmod 644 "$LAB_DIR/alive"
echo up >"$LAB_DIR/state"
cat >"$LAB_DIR/alive.sh" <<EOF
#!/bin/sh
test -e $LAB_DIR/alive
EOF
cat >"$LAB_DIR/notify.sh" <<EOF
#!/bin/sh
echo "\$*" >>$LAB_DIR/notified
EOF
chmod 755 "$LAB_DIR"/*.sh
vrrp_config peer "priority = 150
advert_interval = \"100ms\"
addresses = [\"$VIP4\"]"
vrrp_config box "priority = 200
advert_interval = \"100ms\"
addresses = [\"$VIP4\"]
sync_group = \"both\"
notify = \"$LAB_DIR/notify.sh\"
track = [
  { interface = \"uplink\", weight = -60 },
  { script = \"$LAB_DIR/alive.sh\", interval = \"100ms\", weight = -20 },
  { file = \"$LAB_DIR/state\", interval = \"100ms\" },
  { service = \"web\", weight = -10 },
]
[[vrrp]]
name = \"inside\"
interface = \"eth0\"
vrid = 52
priority = 200
advert_interval = \"100ms\"
sync_group = \"both\"
addresses = [\"10.0.0.101\"]
[[service]]
name = \"web\"
address = \"$VIP4\"
port = 80
mode = \"dsr\"
[service.health]
check = \"file\"
path = \"$LAB_DIR/health\"
interval = \"100ms\"
fall = 1
rise = 1
[[service.backend]]
address = \"10.0.0.11\""
echo up >"$LAB_DIR/health"

router_start box
becomes box master
router_start peer
becomes peer backup
has_priority 200

say "weights"
echo down >"$LAB_DIR/health"
has_priority 190
rm "$LAB_DIR/alive"
has_priority 170
becomes box master
ip -n "$LAB-box" link set uplink down
has_priority 110
becomes peer master
becomes box backup

say "and back"
touch "$LAB_DIR/alive"
echo up >"$LAB_DIR/health"
has_priority 140
becomes box backup
ip -n "$LAB-box" link set uplink up
has_priority 200
becomes box master
becomes peer backup

say "a fault, of all of the group"
echo down >"$LAB_DIR/state"
becomes box fault
becomes peer master
wait_for 5 "the other one of the group to follow" inside_is_out || refute "the group does not move together"
echo up >"$LAB_DIR/state"
becomes box master
lab_stop penstockd-box
becomes peer master

say "what the script was told: $(tr '\n' ';' <"$LAB_DIR/notified")"
told=$(grep -c '^INSTANCE outside ' "$LAB_DIR/notified")
((told >= 8)) || refute "the script was called $told times for outside"
expected='INSTANCE outside BACKUP 200 INSTANCE outside MASTER 200 INSTANCE outside BACKUP 110 INSTANCE outside MASTER 200 INSTANCE outside FAULT 200'
[[ $(head -n 5 "$LAB_DIR/notified" | xargs) == "$expected" ]] || refute "the script was told something else"
[[ $(tail -n 1 "$LAB_DIR/notified" | cut -d' ' -f3) == STOP ]] || refute "the script was not told of the end"
