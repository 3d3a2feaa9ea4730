#!/usr/bin/env bash
# sentence: with dsr = { dscp = 7 } backends behind a router find the VIP by the mark, and everything is carried over both families
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

MODE=dsr DSCP=7
for family in 4 6; do
  if ((family == 4)); then vip=$VIP4 client=$CLIENT4; else vip=$VIP6 client=$CLIENT6; fi
  # What a backend has to do: the destination that the mark stands for.
  backends_prepared() {
    local n
    for ((n = 1; n <= BACKENDS; n++)); do
      lab_in "be$n" nft "
        table ip dsr { chain restore { type filter hook prerouting priority raw; ip dscp $DSCP ip daddr set $VIP4; }; }
        table ip6 dsr { chain restore { type filter hook prerouting priority raw; ip6 dscp $DSCP ip6 daddr set $VIP6; }; }" ||
        refute "nft on be$n"
    done
  }
  PREPARE=backends_prepared COVERS=dsr-dscp carries_everything tunnel "$vip" "$client"
  lab_down
done
