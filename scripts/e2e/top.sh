#!/usr/bin/env bash
# sentence: top shows services, backends, rates, clients, drops and failover on a terminal, follows traffic, heeds its keys and leaves the terminal as it was; in a pipe it says what to use instead
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# in_terminal WORD...: tmux of this lab alone.
in_terminal() {
  tmux -S "$LAB_DIR/tmux" "$@"
}

# shows PATTERN: what is on the terminal now.
shows() {
  in_terminal capture-pane -p -t top | grep -Eq -- "$1"
}

shows_not() {
  ! shows "$1"
}

press() {
  in_terminal send-keys -t top "$@"
}

leave_terminal() {
  in_terminal kill-server 2>/dev/null || true
}

begin router
command -v tmux >/dev/null || refute "there is no tmux: scripts/setup installs it"
web_servers
configure 100 100 100
vrrp_alone
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"

if penstock top >"$LAB_DIR/log/pipe.log" 2>&1; then refute "top in a pipe"; fi
expect "it is said what to use" grep -q 'top is for a terminal: .*--watch' "$LAB_DIR/log/pipe.log"

# The socket of who may only look is as good.
in_terminal new-session -d -s top -x 120 -y 40 "ip netns exec '$LAB-box' env TERM=screen-256color '$BIN/penstock' --socket '$LAB_DIR/run/view.sock' top; echo left with \$?; sleep 60"
trap 'leave_terminal; finish' EXIT
wait_for 10 "the services" shows '^web4 +10\.0\.0\.100:80/tcp +up' || refute "no services: $(in_terminal capture-pane -p -t top)"
expect "backends" shows '^  10\.0\.1\.11:8080 +up'
expect "failover" shows 'outside master for .*, priority 100'
expect "events" shows 'is now vrrp=outside state=master'
lab_in client curl --silent --max-time 1 "http://$VIP4:81/" >/dev/null && refute "there is no service at port 81"
wait_for 5 "the drop" shows 'unknown-port +' || refute "no drop is shown"
lab_in client timeout 30 ab -q -t 5 -n 1000000 -c 20 "$(url "$VIP4")/" >"$LAB_DIR/log/ab-top.log" 2>&1 &
load=$!
wait_for 5 "the client" shows "^$CLIENT4 +[1-9]" || refute "no client is shown"
wait_for 5 "rates" shows 'forwarded [0-9.]+ k/s, new flows [1-9]' || refute "rates do not move"
press '?'
wait_for 3 "the keys" shows 'pause, and go on' || refute "? shows no keys"
press '?'
wait_for 3 "the keys to go" shows_not 'pause, and go on' || refute "? does not take them away"
press Down
wait_for 3 "the table to scroll" shows_not '^web4 ' || refute "the table does not scroll"
press Home
wait_for 3 "the first service" shows '^web4 ' || refute "Home does not go there"
press p
wait_for 3 "the pause" shows 'paused' || refute "p does not pause"
press p
in_terminal resize-window -t top -x 80 -y 24
wait_for 3 "another size" shows '^web4 ' || refute "nothing on a small terminal"
in_terminal capture-pane -p -t top
lab_stop penstockd KILL
wait_for 5 "it to say that this is old" shows 'old: ' || refute "a daemon that is gone is not told of"
press q
wait_for 3 "the end" shows '^left with 0' || refute "q does not leave"
expect "the screen is as it was" shows_not 'SERVICE, BACKENDS'
kill "$load" 2>/dev/null || true
