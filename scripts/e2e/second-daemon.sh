#!/usr/bin/env bash
# sentence: a second penstockd on the same interface gets a clear error, the first is not harmed
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# The second daemon must end by itself, and say why.
refused() {
  local status=0
  lab_in box timeout 20 "$BIN/penstockd" --config "$1" >"$LAB_DIR/log/second.log" 2>&1 || status=$?
  say "status $status: $(tail -n 1 "$LAB_DIR/log/second.log")"
  ((status != 0)) || refute "the second daemon ends with status 0"
  ((status != 124)) || refute "the second daemon runs on"
  ((status < 128 && status != 101)) || refute "the second daemon crashes"
  expect "the error names $2" grep -q "$2" "$LAB_DIR/log/second.log"
}

begin router
web_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
program=$(xdp_on eth0)

mkdir "$LAB_DIR/run2"
sed "s|^run_dir = .*|run_dir = \"$LAB_DIR/run2\"|" "$(config_file)" >"$LAB_DIR/second.toml"
refused "$LAB_DIR/second.toml" eth0
say "and with the same control socket"
refused "$(config_file)" "$LAB_DIR/run"

expect "the first still answers on its socket" daemon_lives
expect "its XDP program is the same" test "$(xdp_on eth0)" = "$program"
ab_requests "$VIP4" 500 20
