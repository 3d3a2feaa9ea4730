#!/usr/bin/env bash
# sentence: a check that cannot be set up at the start (a certificate, an address to send from that is missing) makes no server up, and runs by itself once it can; doctor names it
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=health.sh
. "$E2E/health.sh"
# shellcheck source-path=SCRIPTDIR source=../lab/ca.sh
. "$E2E/../lab/ca.sh"

readonly FAST='interval = "200ms", timeout = "500ms", rise = 1, fall = 1'

none_is_up() {
  [[ $(web4 '[.backends[].state != "up"] | all') == true ]]
}

# doctor_names WORDS
doctor_names() {
  if lab_in box "$BIN/penstock" doctor --config "$(config_file)" >"$LAB_DIR/said" 2>&1; then
    refute "doctor finds nothing: $(<"$LAB_DIR/said")"
  fi
  expect "doctor names $1: $(<"$LAB_DIR/said")" grep -Eq "^problem +check.*$1" "$LAB_DIR/said"
}

begin router
web_servers
lab_ca
for ((n = 1; n <= BACKENDS; n++)); do lab_certificate "by-address$n" "$(lab_backend4 "$n")" -1 30; done
# The second server is dead.
for n in 1 3; do lab_nginx_tls "$n" "by-address$n"; done

say "a certificate that comes later"
checked "health = { check = \"https\", port = 8443, ca = \"$LAB_DIR/late.pem\", $FAST }"
doctor_names late.pem
start_penstockd
says 2 "cannot read $LAB_DIR/late.pem: not found"
wait_for 5 "no backend to be up" none_is_up || refute "backends are up that were never checked: $(web4 .backends)"
cp "$LAB_DIR/tls/ca.pem" "$LAB_DIR/late.pem"
becomes 1 up
becomes 3 up
becomes 2 down
says 2 '^connection refused$'
lab_stop penstockd

say "an address to send from that comes later"
checked "health = { check = \"tcp\", port = 8443, bind = \"10.0.1.99\", $FAST }"
doctor_names 10.0.1.99
start_penstockd
says 2 'no address or port to send from'
wait_for 5 "no backend to be up" none_is_up || refute "backends are up that were never checked: $(web4 .backends)"
lab_in box ip address add 10.0.1.99/24 dev eth1
becomes 1 up
becomes 2 down
expect "penstockd still answers" daemon_lives
