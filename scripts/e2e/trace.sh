#!/usr/bin/env bash
# sentence: trace foretells where a client's packet goes, finds its flow once there is one and the way back, leaves no flow and no count behind, and says that the node is no client of its own VIPs
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=choice.sh
. "$(dirname "$0")/choice.sh"

# traced WORD...: the answer in JSON.
traced() {
  penstock --json trace "$@"
}

# finding STAGE: what that stage finds, of the answer on the standard input.
finding() {
  jq -r --arg stage "$1" '.steps[] | select(.stage == $stage) | .finding'
}

# says FILTER: of the answer on the standard input.
says() {
  jq --exit-status "$1" >/dev/null
}

# counted: what a packet would move.
counted() {
  penstock --json status | jq -c '[.flows.created, .flows.active]'
  penstock --json stats | jq -c '.drops[] | select(.code == "unknown-port") | .count'
}

begin router
web_servers
configure 100 100 100
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"

declare -a foretold
before=$(counted)
for port in 31001 31002 31003 31004 31005; do
  chosen=$(traced "$CLIENT4" "$VIP4" --dport 80 --sport "$port")
  expect "a SYN to port 80 is forwarded" says '.verdict == "forwarded" and .sent != null' <<<"$chosen"
  expect "no flow is known" grep -q 'no flow' < <(finding lookup <<<"$chosen")
  foretold[port]=$(finding choose <<<"$chosen")
done
denied=$(traced "$CLIENT4" "$VIP4" --dport 81)
expect "a port without a service is named" says '.reason == "unknown-port"' <<<"$denied"
expect "an echo request is answered" says '.verdict == "answered"' < <(traced "$CLIENT4" "$VIP4" --protocol icmp)
expect "nothing was counted" test "$(counted)" = "$before"

for port in 31001 31002 31003 31004 31005; do
  server=$(curl_ --local-port "$port" "$(url "$VIP4")/")
  address=$(lab_backend4 "${server#be}")
  expect "port $port went where it was foretold" grep -qF "$address" <<<"${foretold[port]}"
  again=$(traced "$CLIENT4" "$VIP4" --dport 80 --sport "$port")
  expect "its flow is found" grep -qF "a packet to $address" < <(finding lookup <<<"$again")
  inner=$(penstock --json flows | jq -r --arg c "$CLIENT4:$port" '.[] | select(.client == $c) | .backend')
  back=$(traced "$address" "$CLIENT4" --sport "${inner##*:}" --dport "$port")
  expect "a reply is the flow's, and leaves" \
    says '.verdict == "forwarded" and (.steps[] | select(.stage == "lookup") | .finding | startswith("a reply of"))' <<<"$back"
  expect "it comes from the VIP" grep -qF "$VIP4:80 to $CLIENT4:$port" < <(finding rewrite <<<"$back")
  frame=$(jq -r .frame <<<"$again")
  expect "the same frame in hexadecimal says the same" \
    test "$(traced --hex "$frame" | jq -r .sent)" = "$(jq -r .sent <<<"$again")"
done
penstock trace "$CLIENT4" "$VIP4" --dport 80 --sport 31009

for own in "$BOX4 $VIP4" "$BOX6 $VIP6"; do
  # shellcheck disable=SC2086 # two words
  expect "the node's own packet to its VIP is not served" says '.verdict == "not_served"' < <(traced $own --dport 80)
done
if lab_in box curl --silent --max-time 1 "$(url "$VIP4")/" >/dev/null; then refute "and so it is"; fi
expect "its packets to others are Linux's" says '.verdict == "to_linux"' < <(traced "$BOX4" "$CLIENT4" --dport 80)
expect "doctor says so" says 'any(.what == "services" and .state == "ok")' < <(penstock --json doctor --config "$(config_file)")
expect "penstockd still answers" daemon_lives
