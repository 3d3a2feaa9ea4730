#!/usr/bin/env bash
# sentence: of 10 000 connections two backends with the weights 80 and 20 get 80 and 20 per cent, within two points, by every weighted scheduler
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=choice.sh
. "$(dirname "$0")/choice.sh"

BACKENDS=2
begin router
web_servers
SCHEDULER=wrr configure 80 20
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
for scheduler in wrr maglev sh random twos; do
  SCHEDULER=$scheduler configure 80 20
  reload_by_signal
  wait_for 5 "$scheduler to be in force" services_show ".[] | select(.name == \"web4\") | .scheduler == \"$scheduler\""
  had=$(lab_requests 1)
  ab_requests "$VIP4" 10000 20
  share=$(((($(lab_requests 1) - had) * 1000) / 10000))
  say "$scheduler: $share per mille went to the first"
  ((share >= 780 && share <= 820)) || refute "$scheduler: $share per mille instead of 800"
done
say "a weight that is changed live is followed, and kept when it is saved"
expect "weight is accepted" penstock backend weight web4 "$(backend4 2)" 0
had=$(lab_requests 2)
ab_requests "$VIP4" 500 20
expect "weight 0 gets nothing" test "$(lab_requests 2)" = "$had"
