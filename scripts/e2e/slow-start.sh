#!/usr/bin/env bash
# sentence: the share of a backend that comes up follows its ramp
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=choice.sh
. "$(dirname "$0")/choice.sh"

is_warm() {
  [[ $(figure 2 effective_weight) == 100 ]]
}

BACKENDS=2
begin router
web_servers
SCHEDULER=random SERVICE_KEYS='slow_start = "10s"' configure 100 100
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
expect "who was there at the start is warm" is_warm
penstock backend disable web4 "$(backend4 2)"
penstock backend enable web4 "$(backend4 2)"
last=0 measured=0
until is_warm; do
  low=$(figure 2 effective_weight)
  had=$(lab_requests 2)
  ab_requests "$VIP4" 800 10 ramp
  high=$(figure 2 effective_weight)
  share=$(share 2 "$had" 800)
  # A share of weight w beside 100 is w / (100 + w); five standard deviations of 800 draws are 9 points.
  say "weight $low to $high: $share per cent"
  ((high >= low && low >= last)) || refute "the weight falls"
  ((share + 9 >= low * 100 / (100 + low) && share <= high * 100 / (100 + high) + 9)) ||
    refute "$share per cent with weights from $low to $high"
  last=$low measured=$((measured + 1))
done
((measured >= 3)) || refute "only $measured measurements while it warmed up"
