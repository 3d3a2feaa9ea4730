#!/usr/bin/env bash
# sentence: a sender of datagrams that never pauses leaves a backend that is removed from the file, at once or at the drain's deadline
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

SENDER_PORT=30001

# What the services have; the first backend leaves with FIRST=.
write_config() {
  write_node
  local family vip number
  for family in 4 6; do
    [[ $family == 4 ]] && vip=$VIP4 || vip=$VIP6
    cat <<TOML

[[service]]
name = "dns$family"
address = "$vip"
port = 53
protocol = "udp"
mode = "router"
scheduler = "rr"
${DRAIN:-}
TOML
    for number in ${FIRST:-1} 2; do
      printf '\n[[service.backend]]\naddress = "%s"\n' "$("lab_backend$family" "$number")"
    done
  done
}

# sender VIP NAME: asks who.test.penstock every 50 ms from one port, whatever becomes of the answers.
sender() {
  lab_in client timeout 60 "$E2E/constant_sender.py" "$1" "$SENDER_PORT" >"$LAB_DIR/log/sender-$2.log" &
  senders+=($!)
}

# last NAME: what the last answers said.
last() {
  tail -n "${2:-3}" "$LAB_DIR/log/sender-$1.log" | sort -u | tr '\n' ' '
}

answered_by() {
  [[ $(last "$1") == "$2 " ]]
}

# lost NAME: questions without an answer so far.
lost() {
  grep -c lost "$LAB_DIR/log/sender-$1.log" || true
}

apply() {
  configure
  reload_by_signal
}

stop_senders() {
  kill "${senders[@]}" 2>/dev/null || true
  wait "${senders[@]}" 2>/dev/null || true
  senders=()
}

BACKENDS=2
senders=()
begin router
dns_servers
configure
start_penstockd
for family in 4 6; do
  [[ $family == 4 ]] && vip=$VIP4 || vip=$VIP6
  sender "$vip" "v$family"
  wait_for 10 "the sender over IPv$family to be answered" bash -c "grep -q be '$LAB_DIR/log/sender-v$family.log'"
done
# The other backend of each service leaves: the sender's first one is known by what it says.
first=$(grep -o 'be[12]' "$LAB_DIR/log/sender-v4.log" | head -1)
first6=$(grep -o 'be[12]' "$LAB_DIR/log/sender-v6.log" | head -1)
expect "both senders are at one backend" test "$first" = "$first6"
[[ $first == be1 ]] || refute "rr began with $first"

say "its backend leaves the file, and half a second later its machine is switched off"
before=$(lost v4) before6=$(lost v6)
FIRST=" " apply
sleep 0.5
ip -n "$LAB-be1" link set eth0 down
wait_for 3 "the IPv4 sender to be answered by be2" answered_by v4 be2 || refute "it stays: $(last v4)"
wait_for 3 "the IPv6 sender to be answered by be2" answered_by v6 be2 || refute "it stays: $(last v6)"
say "lost: $(($(lost v4) - before)) and $(($(lost v6) - before6)) questions"
expect "a few datagrams are lost at most" test $(($(lost v4) - before)) -le 2 -a $(($(lost v6) - before6)) -le 2
stop_senders
ip -n "$LAB-be1" link set eth0 up
ip -n "$LAB-be1" address add "$(lab_backend6 1)/64" dev eth0 nodad
ip -n "$LAB-be1" route replace default via 10.0.1.1
ip -n "$LAB-be1" -6 route replace default via fd00:1::1

say "with a deadline of the drain, its datagrams stay until then"
DRAIN='drain = { deadline = "2s" }'
apply
wait_for 5 "the backend to be back" services_show 'all(.backends | length == 2)' >/dev/null
# Two new flows, one to each backend in turn.
for number in 1 2; do
  SENDER_PORT=$((30010 + number)) sender "$VIP4" "drained$number"
  wait_for 5 "the sender to be answered" bash -c "grep -q be '$LAB_DIR/log/sender-drained$number.log'"
done
drained=drained1
answered_by drained1 be1 || drained=drained2
expect "it is at the first backend" answered_by "$drained" be1
FIRST=" " apply
sleep 1
expect "it stays for the time that it has" answered_by "$drained" be1
wait_for 5 "it to move at the deadline" answered_by "$drained" be2 || refute "it stays: $(last "$drained")"
expect "not one datagram is lost" test "$(lost "$drained")" = 0
stop_senders
expect "penstockd still answers" daemon_lives
