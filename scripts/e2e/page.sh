#!/usr/bin/env bash
# sentence: the page on the metrics' address shows services, backends, rates, failover, drops and events in Chromium, as they change, on a desktop and on a phone, light and dark, with nothing from outside
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly LISTEN=127.0.0.1:9581

# seen EXPRESSION: what the page looks like once that is true.
seen() {
  lab_in box timeout 240 "$E2E/browser.py" "http://$LISTEN/" "$1" "$LAB_DIR/log" >"$LAB_DIR/seen.json" || refute "the page does not come to $1"
}

# Of each size and scheme.
all() {
  jq -e "length == 4 and all(.[]; $1)" "$LAB_DIR/seen.json" >/dev/null
}

shows() {
  all '.text | test("'"$1"'")' || { jq -r '.[].text' "$LAB_DIR/seen.json" && return 1; }
}

begin router
command -v chromium >/dev/null || refute "there is no chromium: scripts/setup installs it"
web_servers
configure 100 100 100
vrrp_alone
printf '\n[metrics]\nlisten = "%s"\n' "$LISTEN" >>"$(config_file)"
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
penstock backend drain web4 "$(lab_backend4 3):8080"
lab_in client timeout 300 ab -q -t 240 -n 100000000 -c 20 "$(url "$VIP4")/" >"$LAB_DIR/log/ab-page.log" 2>&1 &
load=$!
lab_in client curl --silent --max-time 1 "http://$VIP4:81/" >/dev/null && refute "there is no service at port 81"

# Four looks at least, and connections all the time.
# shellcheck disable=SC2016 # JavaScript
seen 'id("cps").textContent !== "0" && ["pps", "bps", "cps"].every(name => document.querySelector(`#plot-${name} polyline`)?.points.length > 3)'
kill "$load"
expect "it says whose page it is" shows 'Penstock\\s+(box|[a-z0-9-]+)'
expect "a service and what it is" shows 'web4\\s+10.0.0.100 port 80/tcp, router, '
expect "a backend that is up" shows "$(lab_backend4 1):8080\\\\s+up"
expect "a backend that is drained" shows "$(lab_backend4 3):8080\\\\s+drain"
expect "failover" shows 'outside\\s+master\\s+priority 100'
expect "a drop" shows 'unknown-port\\s+[1-9]'
expect "the event log" shows 'is now vrrp=outside state=master'
expect "no size makes anybody scroll to the side" all '.is_too_wide | not'
expect "nothing comes from outside" all '.outside == []'
expect "dark is another colour than light" jq -e '.["desktop-dark"].background != .["desktop-light"].background and .["phone-dark"].background == .["desktop-dark"].background' "$LAB_DIR/seen.json"

lab_stop penstockd KILL
