#!/usr/bin/env bash
# sentence: every sample configuration of Debian's keepalived, and what ipvsadm saves, becomes a configuration that penstock check takes; what has no counterpart is named with file and line
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
samples=$("$ROOT/scripts/keepalived-samples")

# The result is not taken by a version that does not read [[vrrp]], where the file has that.
takes_vrrp() {
  local said
  printf '[[vrrp]]\n' >"$work/vrrp.toml"
  said=$("$BIN/penstock" check "$work/vrrp.toml" 2>&1) || true
  [[ $said != *'not available in this version'* ]]
}

taken=0 left=0
for sample in "$samples"/keepalived.conf*; do
  name=$(basename "$sample")
  if "$BIN/penstock" import keepalived "$sample" >"$work/out.toml" 2>"$work/err"; then
    expect "$name: penstock check takes the result" "$BIN/penstock" check "$work/out.toml" >/dev/null 2>&1
    taken=$((taken + 1))
  else
    grep -q '^\[\[vrrp\]\]' "$work/out.toml" || refute "$name is not taken: $(cat "$work/err")"
    takes_vrrp && refute "$name is not taken: $(cat "$work/err")"
    left=$((left + 1))
  fi
  if grep -q 'smtp_server' "$sample"; then
    expect "$name: a line without a counterpart is named" grep -q "$name:[0-9]*: smtp_server" "$work/err"
    expect "$name: and is a comment of the result" grep -q '^#.*smtp_server' "$work/out.toml"
  fi
done
say "$taken samples are taken, $left wait for [[vrrp]]"
expect "there were samples" test "$taken" -ge 10

printf '%s\n' '-A -t 10.0.0.1:80 -s wlc -p 300' '-a -t 10.0.0.1:80 -r 10.0.1.1:8080 -m -w 3' '-A -f 7 -s rr' >"$work/rules"
"$BIN/penstock" import ipvsadm - <"$work/rules" >"$work/out.toml" 2>"$work/err"
expect "penstock check takes what ipvsadm saved" "$BIN/penstock" check "$work/out.toml" >/dev/null
expect "the server is there with its weight" grep -q '^weight = 3$' "$work/out.toml"
expect "the service by mark is named" grep -q '^standard input:3: -A -f 7' "$work/err"

printf 'virtual_server 10.0.0.1 80 {\n' >"$work/open.conf"
if "$BIN/penstock" import keepalived "$work/open.conf" >"$work/out.toml" 2>"$work/err"; then refute "an open brace is taken"; fi
expect "its line is named" grep -q 'open.conf: line 1' "$work/err"
