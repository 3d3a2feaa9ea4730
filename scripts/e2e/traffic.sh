# shellcheck shell=bash
# The traffic that every forwarding mode has to carry, for one VIP.

# requests_are_spread VIP CLIENT: 10 000 connections, every backend gets its share, and sees who asks.
requests_are_spread() {
  local n before=() got share
  for ((n = 1; n <= BACKENDS; n++)); do before[n]=$(lab_requests "$n"); done
  ab_requests "$1" 10000 50
  for ((n = 1; n <= BACKENDS; n++)); do
    got=$(($(lab_requests "$n") - before[n]))
    share=$((100 * got / 10000))
    say "be$n answered $got of 10000"
    ((share >= 20)) || refute "be$n got only $share per cent of the requests"
    expect "be$n sees the client's own address" only_client "$n" "$2"
  done
}

only_client() {
  awk -v client="$2" '$1 != client { print "foreign address:", $0; wrong = 1 } END { exit wrong }' "$LAB_DIR/be$1/access.log"
}

# upload_is_intact TARGET FILE: at whichever server it arrived.
upload_is_intact() {
  local name=upload-$RANDOM found
  CURL_TIME=120 curl_ --upload-file "$2" "$(url "$1")/upload/$name" || refute "the upload to $1 fails"
  found=$(find "$LAB_DIR"/be*/upload -name "$name")
  [[ -n $found ]] || refute "the upload to $1 has arrived nowhere"
  cmp "$found" "$2" || refute "the upload to $1 is damaged"
  rm -f "$found"
}

# 200 MB each way, by way of whichever backend the flow was given to.
downloads_and_uploads_are_intact() {
  local want
  want=$(<"$LAB_DIR/200M.sha256")
  say "200 MB download"
  [[ $(CURL_TIME=120 curl_ "$(url "$1")/200M" | lab_digest) == "$want" ]] || refute "the download is damaged"
  say "200 MB upload"
  upload_is_intact "$1" "$LAB_DIR/200M"
}

dns_answers() {
  local i names=''
  expect "an address record is answered" test \
    "$(lab_in client dig +short +time=2 +tries=1 "@$1" www.test.penstock A)" = 192.0.2.80
  for ((i = 0; i < 30; i++)); do
    names+="$(lab_in client dig +short +time=2 +tries=1 "@$1" who.test.penstock TXT)"$'\n' ||
      refute "a DNS query got no answer"
  done
  say "DNS servers that answered: $(sort -u <<<"$names" | xargs)"
  (($(sort -u <<<"$names" | grep -c be) > 1)) || refute "30 queries from 30 ports all went to one server"
}

echo_is_answered() {
  expect "the VIP answers an echo request" lab_in client ping -q -c3 -i0.2 -W2 "$1"
  local size
  for size in 3000 60000; do
    expect "the VIP answers an echo request of $size bytes, in fragments" lab_in client ping -q -c3 -i0.2 -W2 -s "$size" "$1"
  done
}

# path_mtu_is_found VIP SEEN_AS MTU: a host behind a last hop with a small MTU downloads, and the server has
# learned that MTU for the way to whom it sees.
path_mtu_is_found() {
  local want route
  want=$(lab_digest <"$LAB_DIR/be1/upload/5M")
  [[ $(lab_in remote curl --silent --fail --globoff --max-time 20 "$(url "$1")/upload/5M" | lab_digest) == "$want" ]] ||
    refute "the download from $1 by a path with a small MTU fails"
  route=$(ip -n "$LAB-be1" route get "$2")
  say "the server's route: ${route//$'\n'/ }"
  [[ $route == *"mtu $3"* ]] || refute "the server was not told that the MTU is $3"
}

# Nobody listens there, and the server's ICMP error says so to the client.
closed_port_is_refused() {
  local answer
  answer=$(lab_in client dig +time=3 +tries=1 "@$1" who.test.penstock TXT 2>&1) && refute "$1 is answered by nobody"
  [[ $answer == *"connection refused"* ]] || refute "the client is not told that the port of $1 is closed: $answer"
}

iperf3_runs() {
  local report=$LAB_DIR/log/iperf3-client.log
  lab_in client timeout 30 iperf3 --client "$1" --time 3 --json >"$report" 2>&1 || refute "iperf3 fails"
  say "iperf3: $(jq '.end.sum_received.bits_per_second / 1e6 | floor' "$report") Mbit/s"
  expect "iperf3 moves data" jq -e '.end.sum_received.bytes > 1000000' "$report" >/dev/null
}

# carries_everything TOPOLOGY VIP CLIENT: CLIENT is whom the backends see. PREPARE: a command to run
# before the daemon comes. COVERS: what the table of `run` calls it; default: the mode.
carries_everything() {
  local mode family=ipv4
  begin "$1"
  mode=$(mode)
  [[ $2 == *:* ]] && family=ipv6
  web_servers
  dns_servers
  lab_iperf3 1
  [[ $mode != tunnel ]] || decapsulators
  ${PREPARE:-:}
  start_penstockd
  wait_for 10 "the VIP to answer" vip_answers "$2" || refute "the VIP does not answer"
  capture client client eth0
  capture backend be1 eth0
  echo_is_answered "$2"
  requests_are_spread "$2" "$3"
  dns_answers "$2"
  covered "${COVERS:-$mode}" "$family" udp
  downloads_and_uploads_are_intact "$2"
  capture_end client
  capture_end backend
  iperf3_runs "$2"
  covered "${COVERS:-$mode}" "$family" tcp
  checksums_are_right client 10000
  checksums_are_right backend 1000
  expect "penstockd still answers" daemon_lives
}
