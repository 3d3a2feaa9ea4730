#!/usr/bin/env bash
# sentence: checks by TCP, SMTP, DNS, UDP, ICMP of both families, script, and an agent's word find a real server up, down and up again
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=health.sh
. "$E2E/health.sh"
# shellcheck source-path=SCRIPTDIR source=../lab/ca.sh
. "$E2E/../lab/ca.sh"

readonly EVERY='interval = "100ms", timeout = "300ms", rise = 1, fall = 2'

# Says the first line of a file to whoever connects.
readonly AGENT='
import socketserver, sys
class Agent(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(open(sys.argv[1], "rb").readline())
socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer(("", 9777), Agent).serve_forever()'

# check KEYS: of all backends, from now on; backend 2 is the one that is looked at.
check() {
  say "check = $1"
  checked "health = { check = $1, $EVERY }"
  expect "the reload is accepted" penstock reload
  found() { [[ $(web4 '.backends[1] | .state == "up" and .checks[0].results > 0') == true ]]; }
  wait_for 5 "backend 2 to be found up" found || refute "backend 2 says $(web4 '.backends[1].last_result')"
}

# goes_down WORDS
goes_down() {
  becomes 2 down
  says 2 "$1"
}

begin router
web_servers
dns_servers
lab_ca
lab_certificate mail mail.lab.example -1 30
lab_certificate expired mail.lab.example -10 -5
lab_smtpd 2
lab_starttls 2 mail
lab_start be2 netcat nc -lk 2222
wait_for 5 "netcat to listen" lab_listens be2 2222
checked 'health = { check = "ping" }'
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"

check '"tcp", port = 2222'
lab_stop netcat KILL
goes_down '^connection refused$'
lab_start be2 netcat nc -lk 2222
becomes 2 up
says 2 '^connected$'

check '"smtp", port = 25'
says 2 '^greeted$'
filter 2 'tcp dport 25 drop'
goes_down '^timed out after 300ms while connecting$'
unfilter 2
becomes 2 up
lab_stop smtpd2
goes_down '^connection refused$'
check "\"smtp\", port = 2525, starttls = true, sni = \"mail.lab.example\", ca = \"$LAB_DIR/tls/ca.pem\""
lab_stop starttls2
lab_starttls 2 expired
goes_down '^certificate expired 5 days ago$'
lab_stop starttls2
lab_starttls 2 mail
becomes 2 up
says 2 '^greeted$'

for transport in udp tcp; do
  check "\"dns\", port = 53, name = \"who.test.penstock\", type = \"TXT\", answer = \"be2\", transport = \"$transport\""
  says 2 '^answered as wanted$'
  says 1 '^the answer has be1, wanted be2$'
  lab_stop dnsmasq2
  goes_down '^connection refused$'
  lab_dnsmasq 2
  becomes 2 up
  filter 2 "$transport dport 53 drop"
  goes_down '^timed out after 300ms while '
  unfilter 2
  becomes 2 up
done

say "an answer of more than 512 bytes comes truncated over UDP"
mapfile -t records < <(for n in {1..9}; do printf -- '--txt-record=many.test.penstock,%0100d\n' "$n"; done)
lab_start be2 dnsmasq-many dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file= \
  --log-facility=- --local=/test.penstock/ --port=5300 "${records[@]}"
wait_for 10 "the other dnsmasq" lab_in be2 dig +time=1 +tries=1 -p 5300 @127.0.0.1 many.test.penstock TXT
# One of those that did not fit.
for cut in {1..9}; do
  lab_in be2 dig +ignore +noedns -p 5300 @127.0.0.1 many.test.penstock TXT | grep -q "$(printf '%0100d' "$cut")" || break
done
check "\"dns\", port = 5300, name = \"many.test.penstock\", type = \"TXT\", answer = \"$(printf '%0100d' "$cut")\""
says 2 '^answered as wanted$'
filter 2 'tcp dport 5300 reject with tcp reset'
goes_down '^truncated over UDP, and TCP: connection refused$'
unfilter 2
becomes 2 up
filter 2 'tcp dport 5300 drop'
goes_down '^truncated over UDP, and TCP: timed out while connecting$'
unfilter 2
becomes 2 up

check '"udp", port = 53, payload = "hex:0000", require_reply = false'
says 2 '^(not refused|answered)$'
lab_stop dnsmasq2
goes_down '^port unreachable$'
lab_dnsmasq 2
becomes 2 up

for address in "" ', address = "fd00:1::12"'; do
  check "\"ping\"$address"
  says 2 '^echo reply$'
  filter 2 'meta l4proto { icmp, icmpv6 } @th,0,8 { 8, 128 } drop'
  goes_down '^no echo reply within 300ms$'
  unfilter 2
  becomes 2 up
done

say "an agent"
agent() {
  printf '%s\n' "$1" >"$LAB_DIR/word"
}
agent 'up 100%'
lab_start be2 agent python3 -c "$AGENT" "$LAB_DIR/word"
wait_for 5 "the agent to listen" lab_listens be2 9777
check '"agent", port = 9777'
weighs() { [[ $(web4 '.backends[1].effective_weight') == "$1" ]]; }
agent '50%'
wait_for 5 "half the weight" weighs 50 || refute "the weight is $(web4 '.backends[1].effective_weight')"
agent 'drain'
wait_for 5 "weight 0" weighs 0
agent 'ready 100%'
wait_for 5 "the whole weight" weighs 100
# HAProxy's source has `fail`, its documentation had `failed`.
agent 'fail'
goes_down '"fail"'
agent 'up'
becomes 2 up
agent 'maint'
goes_down '"maint"'
agent 'up'
says 2 '"up"'
expect "only ready ends the maintenance" state_is 2 down
agent 'ready'
becomes 2 up
agent 'down#disk full'
goes_down 'down#disk full'
lab_stop agent
says 2 '^no agent: connection refused$'
expect "its last word holds" state_is 2 down
expect "penstockd still answers" daemon_lives
