#!/usr/bin/env bash
# sentence: what is dropped is told with its headers, and captures show packets before and after, whole at any end and without a complaint of Wireshark's tools
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# dropped FILTER: a jq condition on the unknown-port drops.
dropped() {
  penstock --json drops --code unknown-port | jq -e ".[0] | $1" >/dev/null
}

# capture_into NAME OPTION...: a capture in the background, once it has begun.
capture_into() {
  local name=$1
  shift
  lab_start box "into-$name" "$BIN/penstock" --socket "$(control_socket)" capture -w "$LAB_DIR/$name.pcapng" "$@"
  wait_for 5 "the capture $name to begin" test -s "$LAB_DIR/$name.pcapng" || refute "no capture $name"
}

captured() {
  ((frames=$(read_capture "$1" -T fields -e frame.number | wc -l), frames >= $2))
}

# read_capture NAME OPTION...: what tshark reads of it; it may complain of nothing but of root.
read_capture() {
  tshark -n -r "$LAB_DIR/$1.pcapng" "${@:2}" 2>"$LAB_DIR/log/tshark.log" || refute "tshark: $(cat "$LAB_DIR/log/tshark.log")"
  expect "tshark has no complaint" test -z "$(grep -v 'Running as user' "$LAB_DIR/log/tshark.log" || true)"
}

# ends_well NAME: the capture has ended by itself, and its file is whole.
ends_well() {
  wait_for 10 "the capture $1 to end" has_ended "$1" || refute "the capture $1 goes on"
  whole "$1"
}

has_ended() {
  ! lab_alive "into-$1"
}

whole() {
  expect "capinfos reads $1" capinfos "$LAB_DIR/$1.pcapng" >"$LAB_DIR/log/capinfos.log" 2>&1
  expect "it is pcapng" grep -q 'pcapng' "$LAB_DIR/log/capinfos.log"
  read_capture "$1" >/dev/null
}

begin router
web_servers
configure 100 100 100
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"

expect "nothing is said of what was not dropped" dropped '.count == 0 and .frames == []'
lab_in client curl --silent --max-time 1 --local-port 40123 "http://$VIP4:81/" >/dev/null && refute "there is no service at port 81"
expect "the frame is there" dropped ".count >= 1 and .frames[0].source == \"$CLIENT4:40123\" and .frames[0].destination == \"$VIP4:81\"
  and .frames[0].interface == \"eth0\" and .frames[0].protocol == \"tcp\" and .frames[0].detail == \"syn\" and .frames[0].seconds_ago < 30"
expect "it is told in a line" grep -Eq "eth0 +- +$CLIENT4:40123 +$VIP4:81 +tcp .* syn\$" < <(penstock drops)
frame=$(penstock --json drops | jq -r '.[] | select(.code == "unknown-port") | .frames[0].frame')
expect "trace takes it as it stands" jq -e '.reason == "unknown-port"' < <(penstock --json trace --hex "$frame")
if penstock drops --code unknown-prot 2>"$LAB_DIR/log/nearest.log"; then refute "there is no such code"; fi
expect "the nearest code is named" grep -q 'the nearest is unknown-port' "$LAB_DIR/log/nearest.log"

# A client's connection, by the service and by the client: each packet before and after, to its limit.
capture_into web --service web4 --limit 8
curl_ --local-port 40200 "$(url "$VIP4")/" >/dev/null
ends_well web
expect "eight packets are twice that many frames" test "$(read_capture web -T fields -e frame.number | wc -l)" = 16
read_capture web -T fields -E separator='|' -e frame.interface_name -e frame.comment -e ip.src -e ip.dst -e tcp.dstport >"$LAB_DIR/log/web.fields"
expect "the client's packet as it came" grep -q "^eth0|forwarded by eth1|$CLIENT4|$VIP4|80\$" "$LAB_DIR/log/web.fields"
expect "and as it left" grep -q "^eth1|as it left|$CLIENT4|10\.0\.1\.1[123]|8080\$" "$LAB_DIR/log/web.fields"
expect "the backend's packet as it came" grep -q "^eth1|forwarded by eth0|10\.0\.1\.1[123]|$CLIENT4|40200\$" "$LAB_DIR/log/web.fields"
expect "and as it left" grep -q "^eth0|as it left|$VIP4|$CLIENT4|40200\$" "$LAB_DIR/log/web.fields"
expect "directions are told" test "$(read_capture web -Y 'frame.packet_flags_direction == 2' | wc -l)" = 8

# What is dropped, by its code, and nothing else; ended by Ctrl-C in the middle.
capture_into drops --drop unknown-port
if penstock capture -w "$LAB_DIR/second.pcapng" 2>"$LAB_DIR/log/second.log"; then refute "two captures at a time"; fi
expect "a second capture is refused" grep -q 'one capture at a time' "$LAB_DIR/log/second.log"
lab_in client curl --silent --max-time 1 "http://$VIP4:81/" >/dev/null && refute "there is no service at port 81"
curl_ "$(url "$VIP4")/" >/dev/null
wait_for 5 "a frame in the file" captured drops 1 || refute "nothing was captured"
lab_stop into-drops INT
whole drops
expect "all are what was asked for" test -z "$(read_capture drops -T fields -e frame.comment | grep -v '^dropped: unknown-port: ' || true)"
expect "the tool has told how many" grep -Eq '^[1-9][0-9]* frames in ' "$LAB_DIR/log/into-drops.log"

# Full speed through a capture of all that a client sends: traffic goes on, what finds no room is counted, the file is whole.
lab_in client timeout 30 ab -q -t 3 -n 1000000 -c 20 "$(url "$VIP4")/" >"$LAB_DIR/log/ab-capture.log" 2>&1 &
load=$!
capture_into all --client "$CLIENT4" --duration 2s
ends_well all
wait "$load" || refute "ab gave up: $(tail -n 3 "$LAB_DIR/log/ab-capture.log")"
expect "no request fails" grep -Eq '^Failed requests: +0$' "$LAB_DIR/log/ab-capture.log"
say "$(cat "$LAB_DIR/log/into-all.log")"
penstock capture --duration 100ms -w - >"$LAB_DIR/stdout.pcapng" 2>/dev/null
whole stdout
# A daemon that ends ends its captures.
capture_into last
lab_stop penstockd TERM
ends_well last
