#!/usr/bin/env bash
# sentence: the demo runs through within three minutes, and leaves no namespace behind
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# With a root for labs of its own, so that labs of other runs do not count.
PENSTOCK_LAB_ROOT=$work/labs PENSTOCK_BIN_DIR=$BIN timeout 180 "$ROOT/scripts/demo" >"$work/out" 2>&1 || refute "the demo ends with $?: $(tail -n 40 "$work/out")"
say "$(tail -n 1 "$work/out")"
expect "its lab is removed" test ! -e "$work/labs"
name=$(grep -o '^== lab ps[0-9a-f]*' "$work/out" | cut -d' ' -f3)
expect "it has built a lab" test -n "$name"
expect "no namespace is left" test -z "$(ip netns list | grep "^$name-" || true)"
