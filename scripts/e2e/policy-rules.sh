#!/usr/bin/env bash
# sentence: replies follow ip rule as Linux's own do: a second uplink for a virtual IP, a default that is in another table alone, rules that refuse, more rules than are followed; what the data plane does not follow is named
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=far.sh
. "$E2E/far.sh"

# ip_ FAMILY WORD...: in the box.
ip_() {
  local family=$1
  shift
  ip -n "$LAB-box" "-${family#ipv}" "$@"
}

answered() {
  far_curl "$1" "$2"
}

unanswered() {
  ! far_curl "$1" "$2" && ! far_curl "$1" "$2"
}

# becomes WHAT COMMAND...
becomes() {
  wait_for 5 "$@" || refute "it is not so that $1"
}

# named FILTER: a condition on what doctor says of the rules.
named() {
  penstock --json doctor --config "$(config_file)" | jq -e ".[] | select(.what == \"policy rules\") | $1" >/dev/null
}

# follows FAMILY CLIENT VIP UPLINK OTHER: the way to the client is the uplink, on eth1; OTHER is a host on eth0.
follows() {
  local family=$1 client=$2 vip=$3 uplink=$4 other=$5
  say "$family: the main table leads elsewhere"
  ip_ "$family" route add default via "$other"
  becomes "the reply is lost without a rule" unanswered "$client" "$vip"
  ip_ "$family" route add default via "$uplink" table 100
  ip_ "$family" rule add from "$vip" lookup 100 priority 1000
  becomes "the virtual IP's rule is followed" answered "$client" "$vip"
  expect "doctor knows of it" named '.state == "ok" and .found == "followed"'
  ip_ "$family" rule add from "$vip" prohibit priority 500
  becomes "a rule refuses" unanswered "$client" "$vip"
  ip_ "$family" rule del priority 500
  becomes "and does not any more" answered "$client" "$vip"
  ip_ "$family" rule del priority 1000
  becomes "the reply is lost again" unanswered "$client" "$vip"

  say "$family: the only default is in another table"
  ip_ "$family" route del default
  ip_ "$family" rule add lookup 100 priority 32800
  becomes "the other table is asked" answered "$client" "$vip"
  ip_ "$family" route del default table 100
  becomes "and its route is gone" unanswered "$client" "$vip"
}

# shellcheck disable=SC2034 # far.sh reads it
FAR_TIME=0.5
begin one-arm
far_wire 1
web_servers
configure 100 100 100
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
follows ipv4 "$(far4 1)" "$VIP4" "$R1_4" "$CLIENT4"
follows ipv6 "$(far6 1)" "$VIP6" "$R1_6" "$CLIENT6"
expect "other clients are served all the while" vip_answers "$VIP4"

say "more rules than are followed, for others"
# beyond FAMILY CLIENT VIP UPLINK OTHER: 200 rules before the main table's, which lead to OTHER.
beyond() {
  local family=$1 client=$2 vip=$3 uplink=$4 other=$5 n
  ip_ "$family" route replace default via "$uplink"
  ip_ "$family" route replace default via "$other" table 900
  becomes "the main table leads to the client" answered "$client" "$vip"
  for n in {1..200}; do
    if [[ $family == ipv4 ]]; then echo "rule add from 10.77.$n.0/24 lookup 900 priority 2000"
    else echo "rule add from fd77:$n::/64 lookup 900 priority 2000"; fi
  done | ip -n "$LAB-box" "-${family#ipv}" -batch -
  # What comes after them has been read, and so have they.
  ip_ "$family" rule add from "$vip" prohibit priority 500
  becomes "a rule refuses" unanswered "$client" "$vip"
  ip_ "$family" rule del priority 500
  becomes "the main table is asked after more rules than are followed" answered "$client" "$vip"
}
beyond ipv4 "$(far4 1)" "$VIP4" "$R1_4" "$CLIENT4"
beyond ipv6 "$(far6 1)" "$VIP6" "$R1_6" "$CLIENT6"
expect "what has no place is named" named '.state == "advice" and (.found | contains("rules are more than the 128"))'

ip_ ipv4 rule add uidrange 0-0 lookup 100 priority 700
expect "what is not followed is named" named '.state == "advice" and (.found | contains("uidrange"))'
expect "penstockd still answers" daemon_lives
