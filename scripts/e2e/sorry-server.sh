#!/usr/bin/env bash
# sentence: the backup serves while nothing else is up, and no longer, also if it is one of the backends; a script is told
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=choice.sh
. "$(dirname "$0")/choice.sh"

in_use() {
  services_show ".[] | select(.name == \"web4\") | .backup.in_use == $1"
}

only() {
  local before=() n
  for n in 1 2 3; do before[n]=$(lab_requests "$n"); done
  ab_requests "$VIP4" 300 10
  for n in 1 2 3; do
    if [[ " $* " == *" $n "* ]]; then
      (($(lab_requests "$n") > before[n])) || refute "backend $n gets nothing"
    else
      expect "backend $n gets nothing" test "$(lab_requests "$n")" = "${before[n]}"
    fi
  done
}

# told WORD: what the script heard of web4 last.
told() {
  [[ $(grep '^SERVICE web4 ' "$LAB_DIR/told" 2>/dev/null | tail -n 1) == "SERVICE web4 $1" ]]
}

begin router
web_servers
printf '#!/bin/sh\necho "$@" >>%s\n' "$LAB_DIR/told" >"$LAB_DIR/on-quorum"
chmod +x "$LAB_DIR/on-quorum"
for backup in 3 1; do
  backends=2
  ((backup == 3)) || backends=3
  weights=(100 100 100)
  SCHEDULER=rr SERVICE_KEYS="backup = { address = \"$(lab_backend4 "$backup")\", port = 8080 }
notify = \"$LAB_DIR/on-quorum\"" write_config "${weights[@]:0:backends}" |
    awk '/^\[\[service\]\]/ { six = 0 } /^name = "(web6|dns|iperf)/ { six = 1 } !(six && /^backup/)' >"$(config_file)"
  if ((backup == 3)); then start_penstockd; else reload_by_signal; fi
  wait_for 10 "the VIP to answer" vip_answers "$VIP4"
  expect "the backup waits" in_use false
  ((backup == 3)) && only 1 2
  for ((n = 1; n <= backends; n++)); do penstock backend drain web4 "$(backend4 "$n")" >/dev/null; done
  expect "the backup is in use" in_use true
  wait_for 5 "the script to be told of the loss" told DOWN || refute "it was told: $(cat "$LAB_DIR/told")"
  expect "the service is down all the same" services_show '.[] | select(.name == "web4") | .up == false'
  only "$backup"
  penstock backend enable web4 "$(backend4 2)"
  expect "the backup waits again" in_use false
  wait_for 5 "the script to be told that all is well" told UP || refute "it was told: $(cat "$LAB_DIR/told")"
  only 2
done
