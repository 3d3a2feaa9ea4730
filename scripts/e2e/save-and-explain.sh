#!/usr/bin/env bash
# sentence: changes by hand are in the file after --save, comments, line ends, owner and group and all, also where it is a mount or has hard links, and hold over a restart; explain foretells where each client's connection goes
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=choice.sh
. "$(dirname "$0")/choice.sh"

readonly COMMENT='# whoever touches this tells Ada'

# foretold PORT: the server that a client's port would get.
foretold() {
  local address
  address=$(penstock --json explain web4 --client "$CLIENT4:$1" | jq -r .backend)
  for ((n = 1; n <= BACKENDS; n++)); do [[ $address != "$(backend4 "$n")" ]] || echo "be$n"; done
}

# It asks before it sends; and what is asked changes nothing.
all_as_foretold() {
  local port said seen=''
  for ((port = $1; port < $1 + 20; port++)); do
    said=$(foretold "$port")
    expect "asked twice, the same" test "$(foretold "$port")" = "$said"
    expect "port $port goes to $said" test "$(curl_ --local-port "$port" "$(url "$VIP4")/")" = "$said"
    seen+="$said"$'\n'
  done
  say "20 connections went where explain had said: $(sort <<<"$seen" | uniq -c | xargs)"
}

begin router
web_servers
configure 100 100 100
echo "$COMMENT" >>"$(config_file)"
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
all_as_foretold 31000

# Line ends of another system, and a file that a group may read.
sed -i 's/$/\r/' "$(config_file)"
chown nobody:adm "$(config_file)"
chmod 0644 "$(config_file)"
standing() {
  stat --format '%U:%G %a' "$(config_file)"
}
owned=$(standing)
before=$(md5sum <"$(config_file)")
penstock backend weight web4 "$(backend4 1)" 7
expect "without --save the file stays as it is" test "$(md5sum <"$(config_file)")" = "$before"
penstock backend weight web4 "$(backend4 1)" 7 --save
penstock backend drain web4 "$(backend4 2)" --save
expect "the comment is still there" grep -qxF "$COMMENT"$'\r' "$(config_file)"
expect "owner, group and mode are the same" test "$(standing)" = "$owned"
expect "the ends of all lines are the same" test "$(grep -c $'\r$' "$(config_file)")" = "$(wc -l <"$(config_file)")"
expect "the file is a right one" penstock check "$(config_file)"
expect "the log has a line for it" grep -q "set by hand.*saved=true" "$LAB_DIR/log/penstockd.log"
all_as_foretold 31100

lab_stop penstockd
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer after a restart"
expect "both hold over a restart" services_show \
  '.[] | select(.name == "web4") | .backends | .[0].weight == 7 and .[1].admin == "drain" and .[2].weight == 100'
all_as_foretold 31200

say "a file that is a mount of its own, as of a container, and one with hard links"
lab_stop penstockd
cp "$(config_file)" "$LAB_DIR/mounted.toml"
# The mount is gone with the process.
# shellcheck disable=SC2016 # the inner shell's
lab_start box penstockd bash -c 'mount --bind "$0" "$1" && shift && exec "$@"' "$LAB_DIR/mounted.toml" "$(config_file)" \
  "$BIN/penstockd" --config "$(config_file)"
wait_for 20 "penstockd to answer on its socket" daemon_answers || refute "penstockd does not start"
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer from a mounted file"
before=$(stat --format %i "$LAB_DIR/mounted.toml")
penstock backend weight web4 "$(backend4 1)" 9 --save
expect "the mounted file has the change" grep -q 'weight = 9' "$LAB_DIR/mounted.toml"
expect "it is the same file" test "$(stat --format %i "$LAB_DIR/mounted.toml")" = "$before"
lab_stop penstockd
# Who writes in place has to be allowed to.
chown root: "$(config_file)"
ln "$(config_file)" "$LAB_DIR/linked.toml"
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer after a restart"
penstock backend weight web4 "$(backend4 1)" 7 --save
expect "both names have the change" cmp "$(config_file)" "$LAB_DIR/linked.toml"
expect "it is in the file" grep -q 'weight = 7' "$LAB_DIR/linked.toml"
expect "nothing is left over" test ! -e "$(config_file).penstock-new"

printf '[[service]]\nname = "web4"\nadress = "10.0.0.100"\n' >"$LAB_DIR/typo.toml"
if penstock apply "$LAB_DIR/typo.toml" 2>"$LAB_DIR/log/typo.log"; then refute "a file with a typo was taken"; fi
expect "the mistake is named" grep -q 'adress' "$LAB_DIR/log/typo.log"
all_as_foretold 31300
expect "penstockd still answers" daemon_lives
