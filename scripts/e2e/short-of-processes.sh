#!/usr/bin/env bash
# sentence: a lack of processes counts against no backend that scripts check, and against no node whose scripts VRRP tracks
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=health.sh
. "$E2E/health.sh"

# A user that nothing else runs as: its processes are counted.
readonly WHO=games

not_run() {
  web4 '[.backends[].checks[].not_run] | min'
}

lacks() {
  (($(not_run) >= 2))
}

is_master() {
  [[ $(penstock --json vrrp | jq -r '.[0].state') == master ]]
}

begin router
web_servers
checked "health = { check = \"script\", command = [\"/bin/true\"], user = \"$WHO\", interval = \"200ms\", timeout = \"2s\", rise = 1, fall = 1 }"
vrrp_alone
echo "track = [{ script = \"/bin/true\", user = \"$WHO\", interval = \"200ms\", fall = 1 }]" >>"$(config_file)"
lab_start box penstockd prlimit --nproc=3 "$BIN/penstockd" --config "$(config_file)"
wait_for 20 "penstockd to answer on its socket" daemon_answers || refute "penstockd does not start"
all_up
wait_for 10 "the box to be master" is_master || refute "the box is not master"

say "as many processes of the user as it may have"
for n in 1 2 3 4 5; do lab_start box "sleeper$n" setpriv --reuid=$WHO --regid=60 --clear-groups sleep 120; done
wait_for 10 "checks not to run" lacks || refute "checks run: $(web4 '.backends')"
says 1 '^not checked, because of this node: no free port or process$'
sleep 1
[[ $(web4 '[.backends[].state == "up"] | all') == true ]] || refute "backends are down: $(web4 '.backends')"
expect "the box is still master" is_master
for n in 1 2 3 4 5; do lab_stop "sleeper$n"; done
says 1 '^exit status 0$'
expect "the box is still master" is_master
expect "penstockd still answers" daemon_lives
