#!/usr/bin/env bash
# sentence: ten thousand script checks, some of them killed with their children, leave no process, no zombie and no descriptor behind
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=health.sh
. "$E2E/health.sh"

readonly RUNS=10000

results() {
  web4 '[.backends[].checks[].results] | add'
}

has_run() {
  (($(results) >= $1))
}

descriptors() {
  find "/proc/$(lab_pid penstockd)/fd" -type l | wc -l
}

zombies() {
  pgrep --count --parent "$(lab_pid penstockd)" --runstates Z || true
}

no_zombie() {
  [[ $(zombies) == 0 ]]
}

# Of those that are killed, by an argument that nobody else has.
sleepers() {
  pgrep -cf "^sleep 61\.$$\$" || true
}

no_sleeper() {
  [[ $(sleepers) == 0 ]]
}

begin router
web_servers
checked "health_needs = \"any\"
health = [
  { check = \"script\", command = [\"/bin/true\"], interval = \"10ms\", timeout = \"5s\", warmup = \"0s\" },
  { check = \"script\", command = [\"/bin/sh\", \"-c\", \"sleep 61.$$ & sleep 61.$$\"], interval = \"300ms\", timeout = \"100ms\" },
]"
start_penstockd
wait_for 20 "the first scripts to have run" has_run 500
before=$(descriptors)
start=$SECONDS
wait_for 250 "$RUNS scripts to have run" has_run $((RUNS + 500)) || refute "only $(results) scripts have run"
say "$RUNS scripts in $((SECONDS - start)) s, descriptors: $before before, $(descriptors) now, zombies: $(zombies)"
says 2 '^exit status 0$|^killed after 100ms$'

say "without scripts nothing of them is left"
checked 'health = { check = "http" }'
expect "the reload is accepted" penstock reload
wait_for 5 "the last zombie to be gone" no_zombie || refute "$(zombies) zombies are left"
wait_for 5 "what was killed to be gone" no_sleeper || refute "$(sleepers) processes are left"
(($(descriptors) <= before + 4)) || refute "descriptors: $before before, $(descriptors) after"
expect "penstockd still answers" daemon_lives
