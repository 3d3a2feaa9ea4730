#!/usr/bin/env bash
# sentence: https checks see to certificates: own authority, wrong name, expired, ending soon, a client's own; and to pages by text, pattern and digest
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=health.sh
. "$E2E/health.sh"
# shellcheck source-path=SCRIPTDIR source=../lab/ca.sh
. "$E2E/../lab/ca.sh"

# https MORE: the check, with more keys of its own.
https() {
  echo "health = { check = \"https\", port = 8443, interval = \"100ms\", timeout = \"1s\", rise = 1, fall = 1, $1 }"
}

# serve N CERTIFICATE [MORE]
serve() {
  lab_stop "tls$1"
  lab_nginx_tls "$@"
}

checks() {
  checked "$(https "$1")"
  expect "the reload is accepted" penstock reload
}

begin router
web_servers
lab_ca
lab_certificate named web.lab.example -1 30
lab_certificate expired web.lab.example -10 -3
lab_certificate ending web.lab.example -10 3
lab_certificate other other.lab.example -1 30
lab_certificate client probe -1 30
for ((n = 1; n <= BACKENDS; n++)); do
  lab_certificate "by-address$n" "$(lab_backend4 "$n")" -1 30
  lab_nginx_tls "$n" "by-address$n"
done
ca="ca = \"$LAB_DIR/tls/ca.pem\""
checked "$(https "$ca")"
start_penstockd
all_up
says 2 '^200 OK$'

say "without the authority nobody is believed, unless nobody needs to be"
checks 'path = "/"'
becomes 2 down
says 2 '^certificate of an unknown authority: put that authority'
checks 'verify = false'
becomes 2 up

say "by name: right, wrong, expired, ending soon"
for ((n = 1; n <= BACKENDS; n++)); do serve "$n" named; done
checks "$ca, sni = \"web.lab.example\""
all_up
serve 2 other
becomes 2 down
says 2 '^certificate of another name: wanted web.lab.example, it has other.lab.example$'
serve 2 expired
becomes 2 down
says 2 '^certificate expired 3 days ago$'
serve 2 ending
becomes 2 up
says 2 '^200 OK; certificate ends in [23] days$'
expect "the warning is a metric" test "$(lab_in box curl --silent --unix-socket "$(control_socket)" http://localhost/metrics |
  grep -c '^penstock_check_warning{service="web4",backend="10.0.1.12:8080",.*} 1$')" = 1

say "a server that wants a certificate of the check's own"
serve 2 named "ssl_client_certificate $LAB_DIR/tls/ca.pem; ssl_verify_client on;"
becomes 2 down
says 2 'status 400|client certificate'
checks "$ca, sni = \"web.lab.example\", client_certificate = \"$LAB_DIR/tls/client.pem\", client_key = \"$LAB_DIR/tls/client.key\""
becomes 2 up

say "files that are not there are refused, and the checks go on"
cp "$(config_file)" "$LAB_DIR/good.toml"
checked "$(https 'ca = "/nowhere/ca.pem"')"
if penstock reload >"$LAB_DIR/said" 2>&1; then refute "a file that is not there is accepted"; fi
expect "it is named" grep -q 'cannot read /nowhere/ca.pem: not found' "$LAB_DIR/said"
expect "the backend is up" state_is 2 up
cp "$LAB_DIR/good.toml" "$(config_file)"

say "pages by text, pattern and digest"
digest=$(printf 'be2, safely\n' | sha256sum | cut -d' ' -f1)
checks "verify = false, digest = \"sha256:$digest\""
becomes 2 up
becomes 1 down
says 1 "the body's digest is sha256:"
checks "verify = false, body = \"be2\""
becomes 2 up
becomes 3 down
says 3 '^the body has no "be2"$'
checks "verify = false, body_regex = '^be[23], s\\w+y'"
becomes 3 up
becomes 1 down
says 1 'does not match'
expect "penstockd still answers" daemon_lives
