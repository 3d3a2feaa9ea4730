#!/usr/bin/env bash
# sentence: services with a range of ports, with any port and with a prefix as VIP carry their traffic, and the most specific wins
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

readonly ANY4=10.0.0.101 PREFIX4=10.0.0.128/28 PREFIX6=fd00:5::/64

write_config() {
  write_node
  service range "$VIP4" 8000-8099 tcp router '' lab_backend4 100 100 100
  service within "$VIP4" 8081 tcp router 8080 lab_backend4 100
  service any-tcp "$ANY4" any tcp router '' lab_backend4 100 100 100
  service any-udp "$ANY4" any udp router '' lab_backend4 100 100 100
  service prefix4 "$PREFIX4" 80 tcp router 8080 lab_backend4 0 100
  service single4 10.0.0.130 80 tcp router 8080 lab_backend4 100
  service prefix6 "$PREFIX6" 80 tcp router 8080 lab_backend6 100 100 100
}

# refused ADDRESS PORT: the server says so itself, which takes the way there and back.
refused() {
  lab_in client curl --silent --max-time 5 --output /dev/null "$(url "$(with_port "$1" "$2")")/" && return 1
  (($? == 7))
}

answered_by() {
  local answer
  answer=$(curl_ --max-time 5 "$(url "$2")/") || refute "$2 does not answer"
  [[ $answer == "$1" ]] || refute "$2 is answered by $answer, not by $1"
}

begin router
web_servers
dns_servers
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$(with_port "$VIP4" 8080)" || refute "no answer"

say "overlaps are named"
told=$(penstock check "$(config_file)" 2>&1) || refute "the file is refused: $told"
expect "the narrower range is named with the wider" grep -q 'within. and .range' <<<"$told"
expect "the address is named with its prefix" grep -q 'single4. and .prefix4' <<<"$told"

say "a range"
ab_requests "$(with_port "$VIP4" 8080)" 500 20
for port in 8000 8099; do expect "a port of the range without a server is refused by a backend" refused "$VIP4" "$port"; done
for port in 7999 8100; do
  refused "$VIP4" "$port" && refute "port $port is outside of the range, and reaches a backend"
done
answered_by be1 "$(with_port "$VIP4" 8081)"

say "any port"
for port in 80 8080; do ab_requests "$(with_port "$ANY4" "$port")" 500 20; done
expect "a port without a server is refused by a backend" refused "$ANY4" 9
dns_answers "$ANY4"

say "prefixes"
for vip in 10.0.0.128 10.0.0.129 10.0.0.143; do answered_by be2 "$vip"; done
answered_by be1 10.0.0.130
vip_answers 10.0.0.144 && refute "an address behind the prefix is answered"
for vip in fd00:5:: fd00:5::1 fd00:5::ffff:ffff:ffff:ffff; do
  expect "$vip answers" vip_answers "$vip"
done
ab_requests 10.0.0.133 500 20
ab_requests fd00:5::77 500 20
echo_is_answered 10.0.0.140
echo_is_answered fd00:5::88
expect "penstockd still answers" daemon_lives
