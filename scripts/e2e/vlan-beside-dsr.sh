#!/usr/bin/env bash
# sentence: dsr mode: a frame whose VLAN tag the kernel carries beside it leaves with that tag; where workers cannot see such tags, a service of a VLAN is refused
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=tagged.sh
. "$E2E/tagged.sh"

tags_stay dsr

say "generic: the tag cannot be seen"
lab_stop penstockd
XDP=generic tagged_services >"$(config_file)"
if lab_in box timeout 20 "$BIN/penstockd" --config "$(config_file)" >"$LAB_DIR/log/refused.log" 2>&1; then
  refute "a service of a VLAN is served where tags are hidden"
fi
expect "no XDP program stays" test -z "$(xdp_on eth0)"
if penstock doctor --config "$(config_file)" >"$LAB_DIR/said"; then refute "doctor finds nothing"; fi
expect "it names the offload" grep -q 'problem *rxvlan-eth0' "$LAB_DIR/said"
sed -i '/^vlan = /d' "$(config_file)"
start_penstockd
expect "interfaces shows that tags are hidden" jq -e 'all(.vlan_tags == "hidden")' < <(penstock --json interfaces)
XDP=generic tagged_services >"$(config_file)"
if penstock reload >"$LAB_DIR/said" 2>&1; then refute "a reload brings a service of a VLAN where tags are hidden"; fi
expect "the configuration in force is the one before" services_show 'length == 4'
