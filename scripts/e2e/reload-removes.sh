#!/usr/bin/env bash
# sentence: downloads survive that their service moves to another address, and that it is removed
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

readonly MOVED=10.0.0.101

# without_service NAME: the configuration without that service.
without_service() {
  awk -v name="name = \"$1\"" '
    /^\[\[service\]\]/ { held = $0; next }
    held != "" { skip = ($0 == name); if (!skip) print held; held = "" }
    /^\[\[(interface)|^\[[a-z]/ { skip = 0 }
    !skip' "$(config_file)"
}

begin router
web_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"

download() {
  (CURL_TIME=120 curl_ --limit-rate 25M "$(url "$1")/200M" | lab_digest >"$LAB_DIR/downloaded-$1") &
}

flows_of() {
  penstock --json flows --limit 10000 | jq -e --arg vip "$1:80" '[.[] | select(.virtual == $vip and .state == "established")] | length > 0'
}

say "a download begins, and its service moves to $MOVED"
download "$VIP4"
first=$!
wait_for 5 "the first download to begin" flows_of "$VIP4"
sed -i "s/^address = \"$VIP4\"\$/address = \"$MOVED\"/" "$(config_file)"
expect "the reload is accepted" penstock reload
wait_for 10 "the new address to answer" vip_answers "$MOVED"

say "another download begins, and its service is removed"
download "$MOVED"
second=$!
wait_for 5 "the second download to begin" flows_of "$MOVED"
without_service web4 >"$LAB_DIR/less" && mv "$LAB_DIR/less" "$(config_file)"
expect "the reload is accepted" penstock reload
expect "the service is gone" services_show 'all(.name != "web4")'

kill -0 "$first" 2>/dev/null || refute "the first download ended too early to prove anything"
kill -0 "$second" 2>/dev/null || refute "the second download ended too early to prove anything"
wait "$first" || refute "the download from the old address broke"
wait "$second" || refute "the download from the removed service broke"
for vip in "$VIP4" "$MOVED"; do
  expect "the download from $vip is intact" test "$(<"$LAB_DIR/downloaded-$vip")" = "$(<"$LAB_DIR/200M.sha256")"
done
if vip_answers "$MOVED"; then refute "a removed service takes a new connection"; fi
expect "penstockd still answers" daemon_lives
