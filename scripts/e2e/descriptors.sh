#!/usr/bin/env bash
# sentence: a node without free descriptors, ports or rights takes no backend out: its checks say so, are counted, and run again by themselves; the control socket answers all the time
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=health.sh
. "$E2E/health.sh"

readonly LIMIT=256
readonly FAST='interval = "200ms", timeout = "500ms", rise = 1, fall = 1'

metric() {
  lab_in box curl --silent --max-time 5 --unix-socket "$(control_socket)" http://localhost/metrics | grep "^penstock_$1{" || true
}

# The sum of a metric over its lines, as a whole number.
total() {
  metric "$1" | awk '{ sum += $NF } END { printf "%d\n", sum }'
}

descriptors() {
  find "/proc/$(lab_pid penstockd)/fd" -type l | wc -l
}

more_than() {
  (($(descriptors) > $1))
}

fewer_than() {
  (($(descriptors) < $1))
}

# Now or ever.
none_was_down() {
  [[ $(web4 '[.backends[] | .state != "down" and (.history | map(select(.state == "down")) | length) == 0] | all') == true ]]
}

stays_up() {
  local until=$((SECONDS + $1))
  while ((SECONDS < until)); do
    expect "the control socket answers" penstock status >/dev/null
    expect "no healthy backend is down: $(web4 '[.backends[] | {state, last_result}]' | xargs)" none_was_down
    sleep 0.3
  done
}

results() {
  web4 '[.backends[].checks[].results] | add'
}

not_run() {
  web4 '[.backends[].checks[].not_run] | add'
}

begin router
web_servers
say "a limit of $LIMIT descriptors, three servers that are well, and 400 checks of an address where nothing answers"
filter 1 'tcp dport 9 drop'
{
  write_node
  SERVICE_KEYS="health = { check = \"http\", $FAST }" service web4 "$VIP4" 80 tcp router 8080 lab_backend4 100 100 100
  SERVICE_KEYS='health = { check = "tcp", interval = "100ms", timeout = "1s", port = 9, address = "'"$(lab_backend4 1)"'" }' \
    service hang "$VIP4" 81 tcp router "" lab_backend4
  for ((n = 0; n < 400; n++)); do printf '[[service.backend]]\naddress = "10.0.1.%d"\nport = %d\n' $((n % 3 + 11)) $((1000 + n)); done
} >"$(config_file)"
lab_start box penstockd prlimit "--nofile=$LIMIT:$LIMIT" "$BIN/penstockd" --config "$(config_file)"
wait_for 20 "penstockd to answer on its socket" daemon_answers
wait_for 10 "the servers to be found well" all_found_up || refute "not found up: $(web4 .backends)"
wait_for 10 "the checks to wait for each other" more_than 150 || say "descriptors: $(descriptors)"
before=$(results)
stays_up 6
say "descriptors: $(descriptors) of $LIMIT, results: $(($(results) - before))"
(($(descriptors) < LIMIT - 16)) || refute "checks leave no descriptors: $(descriptors) of $LIMIT are open"
(($(results) > before)) || refute "the servers that are well are not checked any more"
(($(not_run) == 0)) || refute "checks did not run: $(web4 .backends)"
lab_in box prlimit --nofile=$LIMIT:$LIMIT "$BIN/penstock" doctor --config "$(config_file)" >"$LAB_DIR/said" || true
expect "doctor names the limit" grep -Eq '^advice +descriptors +256 .* 403 checks' "$LAB_DIR/said"
expect "and what to do" grep -Eq '^descriptors: LimitNOFILE=[0-9]+' "$LAB_DIR/said"

say "no descriptor is to be had for a while: no check runs, and none counts"
checked "health = { check = \"http\", $FAST }"
expect "the reload is accepted" penstock reload
wait_for 10 "the checks that hang to be gone" fewer_than 120
wait_for 10 "the servers to be found well" all_found_up
cpu_ticks() {
  awk '{ print $14 + $15 }' "/proc/$(lab_pid penstockd)/stat"
}
# Of numbers that low, none is free.
prlimit --pid "$(lab_pid penstockd)" --nofile=8:$LIMIT
ticks=$(cpu_ticks)
# Whoever knocks now is not let in, and finds an answer afterwards.
lab_start box knocking timeout 10 "$BIN/penstock" --socket "$(control_socket)" status
sleep 3
ticks=$(($(cpu_ticks) - ticks))
prlimit --pid "$(lab_pid penstockd)" --nofile=$LIMIT:$LIMIT
say "$ticks ticks of CPU time in 3 s"
wait_for 5 "the control socket to answer" penstock status >/dev/null || refute "the control socket is deaf"
wait_for 5 "who has knocked to have an answer" lab_gone knocking
(($(not_run) > 0)) || refute "no check lacked a descriptor: $(web4 .backends)"
expect "none was down: $(web4 '[.backends[] | {state, history}]' | xargs)" none_was_down
wait_for 5 "the servers to be found well again" has_said 2 '^200 OK$' || refute "$(web4 .backends)"
(($(total check_not_run_total) > 0)) || refute "the metrics know nothing of it"
(($(total check_failures_total) == 0)) || refute "it counts as $(total check_failures_total) failures"
penstock --json events >"$LAB_DIR/events"
jq -e 'map(.kind) | contains(["health.checks-not-run", "health.checks-run-again"])' "$LAB_DIR/events" >/dev/null ||
  refute "no event of it: $(jq -c 'map(.kind) | unique' "$LAB_DIR/events")"

say "an address to send from that the node lacks"
checked "health = { check = \"tcp\", $FAST, bind = \"10.0.1.99\" }"
expect "the reload is accepted" penstock reload
says 2 '^not checked, because of this node: no address or port to send from$'
expect "none is down for it" none_was_down
lab_in box ip address add 10.0.1.99/24 dev eth1
wait_for 5 "the servers to be found well" all_found_up || refute "$(web4 .backends)"

say "without a route a backend is down: clients' packets do not reach it either"
lab_in box ip link set eth1 down
becomes 2 down
says 2 '^(network unreachable|host unreachable|network down|not checked.*|timed out.*)$'
lab_in box ip link set eth1 up
wait_for 15 "the servers to be found well" all_found_up || refute "$(web4 .backends)"
expect "penstockd still answers" daemon_lives
