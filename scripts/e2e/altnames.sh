#!/usr/bin/env bash
# sentence: another name of an interface is as good as its main one wherever the file names an interface; two names of one device are refused with both lines
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly LONG=a-name-longer-than-the-kernel-s-main-names

begin router
web_servers
ip -n "$LAB-box" link property add dev eth0 altname enp3s0f0
ip -n "$LAB-box" link property add dev eth1 altname "$LONG"
configure 100 100 100
vrrp_alone
sed -i "s/^name = \"eth0\"/name = \"enp3s0f0\"/; s/^name = \"eth1\"/name = \"$LONG\"/; s/^interface = \"eth0\"/interface = \"enp3s0f0\"/" "$(config_file)"
echo 'track = [{ interface = "'"$LONG"'" }]' >>"$(config_file)"
expect "check takes the other names" lab_in box "$BIN/penstock" check "$(config_file)"
expect "so does doctor" lab_in box "$BIN/penstock" doctor --config "$(config_file)"
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
expect "interfaces are shown by their main names" jq -e '[.[].name] == ["eth0", "eth1"]' < <(penstock --json interfaces)
expect "a virtual router, too" jq -e '.[0].interface == "eth0" and .[0].state == "master"' < <(penstock --json vrrp)

say "the tracked interface goes down and comes back"
vrrp_is() { [[ $(penstock --json vrrp | jq -r '.[0].state') == "$1" ]]; }
ip -n "$LAB-box" link set eth1 down
wait_for 5 "the virtual router to take no part" vrrp_is fault || refute "what is tracked by another name is not followed"
ip -n "$LAB-box" link set eth1 up
wait_for 10 "the virtual router to be master again" vrrp_is master || refute "it is not master again"

say "the main names instead: nothing changes"
sed -i "s/\"enp3s0f0\"/\"eth0\"/; s/\"$LONG\"/\"eth1\"/" "$(config_file)"
expect "a reload finds nothing to restart for" penstock reload
ip -n "$LAB-box" link property add dev eth0 altname front
sed -i 's/^name = "eth0"/name = "front"/' "$(config_file)"
expect "a name that was given while the daemon runs is known" penstock reload
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer after the reloads"

say "two names of one device"
printf '\n[[interface]]\nname = "enp3s0f0"\n' >>"$(config_file)"
if penstock reload >"$LAB_DIR/said" 2>&1; then refute "one device is taken twice"; fi
lines=$(grep -n '"front"\|"enp3s0f0"' "$(config_file)" | cut -d: -f1)
for line in $lines; do
  expect "line $line is named" grep -Eq "(^|[^0-9])$line( |:)" "$LAB_DIR/said"
done
lab_stop penstockd

say "one that is not there"
sed -i 's/"front"/"eth9"/' "$(config_file)"
if lab_in box timeout 20 "$BIN/penstockd" --config "$(config_file)" >"$LAB_DIR/said" 2>&1; then refute "eth9 is there"; fi
expect "the names there are, are listed" grep -q "eth0 (enp3s0f0, front)\|eth1 ($LONG)" "$LAB_DIR/said"
