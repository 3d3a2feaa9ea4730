#!/usr/bin/env bash
# sentence: penstock doctor finds nothing in the way of a box that runs, and names what is missing where it would not, looks at the machine alone where there is no configuration; --watch prints the same again; man pages and the reference are written
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# found FILTER: a jq condition on what doctor finds.
found() {
  penstock --json doctor --config "$1" | jq -e "$2" >/dev/null
}

begin router
configure 100 100 100
start_penstockd
penstock doctor --config "$(config_file)"
expect "nothing keeps it from running" found "$(config_file)" 'all(.state != "problem")'
expect "it looks at both interfaces" found "$(config_file)" '[.[] | select(.what == "link eth0" or .what == "link eth1")] | length == 2'

sed 's/name = "eth1"/name = "eth7"/' "$(config_file)" >"$LAB_DIR/other.toml"
if penstock doctor --config "$LAB_DIR/other.toml" >"$LAB_DIR/said"; then refute "an interface that is not there is well"; fi
expect "it is named with what there is" grep -q 'problem *interface-eth7.*eth0.*eth1' "$LAB_DIR/said"

say "an MTU that keeps the daemon from starting"
ip -n "$LAB-client" link set eth0 mtu 3000
ip -n "$LAB-box" link set eth0 mtu 3000
if penstock doctor --config "$(config_file)" >"$LAB_DIR/said"; then refute "an MTU of 3000 is well"; fi
expect "it is named with the limit" grep -q 'problem *mtu-eth0 *3000.*1774' "$LAB_DIR/said"
ip -n "$LAB-box" link set eth0 mtu 1500
ip -n "$LAB-client" link set eth0 mtu 1500

say "without a configuration"
if [[ ! -e /etc/penstock/penstock.toml ]]; then
  expect "the machine is looked at" penstock --json doctor >"$LAB_DIR/said"
  expect "and that is said" jq -e 'any(.what == "configuration" and .state == "advice")' "$LAB_DIR/said"
  expect "its interfaces, too" jq -e 'any(.what == "link eth0") and any(.what == "kernel")' "$LAB_DIR/said"
  if penstock doctor --needs 2>/dev/null; then refute "there are needs without a configuration"; fi
fi
if penstock doctor --config "$LAB_DIR/nothing.toml" 2>/dev/null; then refute "a file that is named and missing is well"; fi

# It goes on until the reader has seen enough.
expect "the status comes again and again" test "$(penstock status --watch=100ms | grep -m3 -c '^Node:')" = 3
if penstock reload --watch 2>"$LAB_DIR/said"; then refute "a change is watched"; fi
expect "what cannot be watched is named" grep -q -- '--watch is for verbs that print state' "$LAB_DIR/said"

penstock man "$LAB_DIR/man"
expect "there is a page for the daemon" grep -q penstockd "$LAB_DIR/man/penstockd.8"
expect "and for each verb" test -s "$LAB_DIR/man/penstock-backend-drain.1"
penstock check --reference >"$LAB_DIR/reference.toml"
expect "the reference is the one in configs" cmp "$LAB_DIR/reference.toml" "$ROOT/configs/reference.toml"
expect "it is a right configuration" penstock check "$LAB_DIR/reference.toml"
expect "penstockd still answers" daemon_lives
