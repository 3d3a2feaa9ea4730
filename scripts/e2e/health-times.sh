#!/usr/bin/env bash
# sentence: rise, fall and the intervals are kept to within one interval; state survives a reload, admin holds over checks, weights come from checks
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=health.sh
. "$E2E/health.sh"

readonly INTERVAL=0.4 FAST=0.2

# took START: from then to the last change of backend 2.
took() {
  local ago
  ago=$(web4 '.backends[1].history[-1].seconds_ago')
  awk -v now="$(now)" -v ago="$ago" -v start="$1" 'BEGIN { printf "%.3f\n", now - ago - start }'
}

# within WHAT SECONDS LOW HIGH: with a little for the machine.
within() {
  say "$1 took $2 s, from $3 to $4 s are right"
  awk -v t="$2" -v low="$3" -v high="$4" 'BEGIN { exit !(t >= low - 0.05 && t <= high + 0.15) }' ||
    refute "$1 took $2 s, and not from $3 to $4 s"
}

keys="health = { check = \"http\", path = \"/healthz\", interval = \"${INTERVAL}s\", fast_interval = \"${FAST}s\", rise = 3, fall = 4 }"
keys=${keys//0.4s/400ms} keys=${keys//0.2s/200ms}

begin router
web_servers
checked "$keys"
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
all_up

say "down: up to one interval to the first failure, then three fast ones"
start=$(now)
fail 2 ill
becomes 2 down
says 2 '^status 503, wanted 200-299$'
within "the fall" "$(took "$start")" 0.6 1.0
say "up: up to one interval to the first success, then two fast ones"
start=$(now)
recover 2 ill
becomes 2 up
says 2 '^200 OK$'
within "the rise" "$(took "$start")" 0.4 0.8

say "a reload of the same checks keeps what is known"
fail 2 ill
becomes 2 down
results=$(web4 '.backends[1].checks[0].results')
expect "the reload is accepted" penstock reload
expect "it is still down" state_is 2 down
(($(web4 '.backends[1].checks[0].results') >= results)) || refute "its results were forgotten"
if [[ $(penstock plan "$(config_file)") == *health* ]]; then refute "a plan of the same file tells of a change"; fi

say "admin holds over checks, in both directions"
expect "drain is accepted" penstock backend drain web4 10.0.1.12:8080
expect "drain is shown" state_is 2 drain
recover 2 ill
up_again() { [[ $(web4 '.backends[1].checks[0].up') == true ]]; }
wait_for 5 "the check to be up" up_again
expect "it is drained all the same" state_is 2 drain
expect "enable is accepted" penstock backend enable web4 10.0.1.12:8080
becomes 2 up

say "weights from a file, and from a script by its status"
echo 20 >"$LAB_DIR/weight"
# shellcheck disable=SC2016 # for the script's shell
printf '#!/bin/sh\nread -r code <%s || exit 1\nexit "$code"\n' "$LAB_DIR/code" >"$LAB_DIR/weigh"
chmod 755 "$LAB_DIR/weigh" && chmod 755 "$LAB_DIR"
echo 52 >"$LAB_DIR/code"
checked "health = [{ check = \"file\", path = \"$LAB_DIR/weight\", interval = \"100ms\" }]"
expect "the reload is accepted" penstock reload
weighs() { [[ $(web4 '.backends[1].effective_weight') == "$1" ]]; }
wait_for 5 "the weight to be the file's" weighs 20 || refute "the weight is $(web4 '.backends[1].effective_weight')"
checked "health = { check = \"script\", command = [\"$LAB_DIR/weigh\"], dynamic = true, interval = \"100ms\", fall = 1 }"
expect "the reload is accepted" penstock reload
wait_for 5 "the weight to be the script's" weighs 50 || refute "$(web4 '.backends[1]')"
echo 1 >"$LAB_DIR/code"
becomes 2 down
says 2 '^exit status 1, wanted 0$'

say "inhibited: weight 0 instead of out"
checked "inhibit_on_failure = true
health = { check = \"file\", path = \"$LAB_DIR/state\", interval = \"100ms\", fall = 1 }"
expect "the reload is accepted" penstock reload
becomes 2 down
expect "its weight is 0" weighs 0
says 2 'not found'
expect "metrics tell of checks" test "$(lab_in box curl --silent --unix-socket "$(control_socket)" http://localhost/metrics |
  grep -c '^penstock_check_up{service="web4",.*check="file"')" = 3
expect "penstockd still answers" daemon_lives
