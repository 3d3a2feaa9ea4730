#!/usr/bin/env bash
# sentence: the appliance reads a seed into names, keys, files and networks, says what it leaves out, refuses what it cannot read, its boot loader's memory changes whole, and penstock-image refuses wrong arguments
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export RUN=$work/run LIBRARY=$ROOT/packaging/image/rootfs/usr/lib/penstock-image
# shellcheck source-path=SCRIPTDIR source=../../packaging/image/rootfs/usr/lib/penstock-image/boot.sh
. "$LIBRARY/boot.sh"
# shellcheck source-path=SCRIPTDIR source=../../packaging/image/rootfs/usr/lib/penstock-image/network.sh
. "$LIBRARY/network.sh"
# shellcheck source-path=SCRIPTDIR source=../../packaging/image/rootfs/usr/lib/penstock-image/seed.sh
. "$LIBRARY/seed.sh"

penstock() {
  "$BIN/penstock" "$@"
}

SEED=$work/seed NEW=$work/new
mkdir -p "$RUN" "$SEED" "$NEW"/etc/{ssh,penstock,systemd/network}
cat >"$SEED/meta-data" <<'META'
instance-id: "lb1-7"   # a remark
local-hostname: other
META
cat >"$SEED/user-data" <<'USER'
#cloud-config
hostname: lb1.example.net
timezone: Europe/Berlin
ssh_authorized_keys:
- ssh-ed25519 AAAA one@desk
- 'ssh-ed25519 BBBB two'
write_files:
  - path: /etc/penstock/penstock.toml
    content: |
      [node]
      name = "lb\u0031"   # kept: \n, "quotes", tabs

      [[interface]]
      name = "front0"
  - path: /etc/penstock/../passwd
    content: no
  - path: /etc/shadow
    content: no
USER
cat >"$SEED/network-config" <<'NETWORK'
network:
  version: 2
  ethernets:
    mgmt0:
      match:
        macaddress: "52:54:00:00:01:01"
      addresses: [192.0.2.11/24, '2001:db8::11/64']
      routes:
        - to: default
          via: 192.0.2.1
        - to: default
          via: 2001:db8::1
      nameservers:
        addresses: [192.0.2.53]
    enp3s0:
      set-name: front0
      addresses:
        - 10.0.0.21/24
NETWORK

say "a seed"
said=$(seed_read)
network=$NEW/etc/systemd/network
expect "the instance is known" test "$(seed_instance)" = lb1-7
expect "the host's name is the first word" test "$(<"$NEW/etc/hostname")" = lb1
expect "both keys are there" test "$(wc -l <"$NEW/etc/ssh/authorized_keys")" = 2
expect "the file is as it was written" grep -qF 'name = "lb\u0031"   # kept: \n, "quotes", tabs' "$NEW/etc/penstock/penstock.toml"
expect "with its last line" test "$(tail -n 1 "$NEW/etc/penstock/penstock.toml")" = 'name = "front0"'
expect "what is not understood is said" grep -q 'not understood, left out: timezone' <<<"$said"
expect "no file is written elsewhere" test ! -e "$NEW/etc/passwd" -a ! -e "$NEW/etc/shadow"
expect "and that is said" test "$(grep -c 'left out' <<<"$said")" = 3
expect "management is found by its MAC address" grep -qx 'MACAddress=52:54:00:00:01:01' "$network/10-mgmt0.link"
expect "its routes have a table of their own" test "$(grep -cx 'Table=100' "$network/10-mgmt0.network")" = 7
expect "both default routes are there" grep -qx 'Destination=::/0' "$network/10-mgmt0.network"
expect "of either family" grep -qx 'Destination=0.0.0.0/0' "$network/10-mgmt0.network"
expect "a service's interface gets its name" grep -qx 'Name=front0' "$network/10-front0.link"
expect "and forwards" grep -qx 'IPv4Forwarding=yes' "$network/10-front0.network"
expect "the name server is known" grep -qx 'nameserver 192.0.2.53' "$NEW/etc/resolv.conf"

say "seeds that cannot be read"
for text in 'a: {b: 1}' $'a:\n\t- b' 'a: &x 1' 'a: "b\"c"'; do
  if awk -f "$LIBRARY/yaml.awk" <<<"$text" >/dev/null 2>"$work/said"; then refute "this is taken: $text"; fi
  expect "the line is named" grep -q '^line [12]: ' "$work/said"
done

say "the boot loader's memory"
{ printf '# GRUB Environment Block\nslot=a\n' && printf '#%.0s' {1..992}; } >"$work/grubenv"
write_env next=b 'tuning=isolcpus=1-3 nohz_full=1-3' "$work/grubenv"
write_env slot=b next= "$work/grubenv"
expect "it keeps its size" test "$(stat -c %s "$work/grubenv")" = 1024
expect "it begins as GRUB wants it" test "$(head -n 1 "$work/grubenv")" = '# GRUB Environment Block'
expect "it has each word once" test "$(grep -av '^#' "$work/grubenv" | sort | paste -sd' ')" = 'next= slot=b tuning=isolcpus=1-3 nohz_full=1-3'
if (write_env "tuning=$(printf 'x%.0s' {1..1100})" "$work/grubenv") 2>/dev/null; then refute "it takes more than it has room for"; fi
expect "and is as it was" grep -aqx 'slot=b' "$work/grubenv"

say "the arguments of penstock-image"
sed "s#^\. /usr/lib/penstock-image/#. $LIBRARY/#" "$ROOT/packaging/image/rootfs/usr/sbin/penstock-image" >"$work/penstock-image"

# image STATUS ARGUMENT...: ends with that status; the usage is on stdout for 0 and on stderr otherwise.
image() {
  local status=0 usage=$work/out other=$work/err
  timeout 10 bash "$work/penstock-image" "${@:2}" >"$work/out" 2>"$work/err" || status=$?
  [[ $1 == 0 ]] || { usage=$work/err && other=$work/out; }
  [[ $status == "$1" ]] || refute "penstock-image ${*:2} ends with $status: $(cat "$work/out" "$work/err")"
  expect "penstock-image ${*:2} prints its usage" grep -q 'penstock-image update FILE' "$usage"
  expect "penstock-image ${*:2} prints nothing else" test ! -s "$other"
}
for help in --help -h; do image 0 "$help"; done
image 0 config --help
image 2
for wrong in no-such-verb --no-such-flag config update "config x --no-such-flag" "config x --restart y" "status x" "commit x" "switch x"; do
  # shellcheck disable=SC2086 # several words
  image 2 $wrong
done
say "files that are replaced keep their owner, group and mode, also in the copy of what was before"
echo old >"$work/lb.toml"
chown nobody:adm "$work/lb.toml"
chmod 640 "$work/lb.toml"
ln -s lb.toml "$work/link.toml"
# shellcheck disable=SC2094 # the copy has another name
replace "$work/link.toml.previous" '' "$work/link.toml" <"$work/link.toml"
replace "$work/link.toml" <<<new
for file in lb.toml link.toml.previous; do
  expect "$file is as the file was" test "$(stat -c '%U:%G %a' "$work/$file")" = 'nobody:adm 640'
done
expect "the link is one" test -L "$work/link.toml" -a "$(<"$work/lb.toml")" = new -a "$(<"$work/link.toml.previous")" = old
replace "$work/key" 600 <<<key
replace "$work/other" <<<other
expect "other files have the mode that is asked for" test "$(stat -c %a "$work/key" "$work/other" | xargs)" = '600 644'
