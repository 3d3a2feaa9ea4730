#!/usr/bin/env bash
# sentence: the Debian package installs in a fresh Debian, brings programs that run, groups, man pages and completions, upgrades without a restart, and a purge leaves nothing
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/debian
command -v debootstrap >/dev/null || refute "there is no debootstrap: scripts/setup installs it"

inside() {
  chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"
}

# All files but those in which Debian itself keeps books, and the former ones of passwd and group.
everything() {
  (cd "$root" && find . -path ./tmp -prune -o -path ./var/lib/dpkg -prune -o -path ./var/log -prune -o -print) |
    grep -vE '^\./etc/(passwd|group|shadow|gshadow|subuid|subgid)-$' | sort
}

export PENSTOCK_BIN_DIR=$BIN
first=$("$ROOT/scripts/package")
second=$(PACKAGE_VERSION=9.0.0 "$ROOT/scripts/package")
say "$(basename "$first"), $(($(stat -c %s "$first") / 1024)) kB"
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
# The machine's own; others' packages may be in its lists, too.
mirror=$(grep -rhoP '^(deb|URIs:).*?\Khttps?://\S+/debian/?(?=\s|$)' /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null | head -1) || true
kept=$ROOT/target/debian-$codename.tar
if [[ ! -f $kept ]]; then
  say "a fresh Debian is fetched, once"
  debootstrap --variant=minbase "$codename" "$work/fresh" ${mirror:+"$mirror"} >"$work/log" 2>&1 ||
    refute "no Debian can be had: $(tail -n 3 "$work/log")"
  tar -C "$work/fresh" -cf "$kept.new" .
  mv "$kept.new" "$kept"
fi
mkdir "$root"
tar -C "$root" -xf "$kept"
cp "$first" "$second" "$root/tmp"
everything >"$work/before"

say "installed"
inside dpkg -i "/tmp/$(basename "$first")"
for file in grafana/penstock.json prometheus/penstock.rules.yml; do
  expect "dashboard and alerts are there" test -s "$root/usr/share/doc/penstock/examples/$file"
done
expect "the programs run" inside penstock --version
expect "the daemon runs" inside penstockd --help >/dev/null
for example in "$ROOT"/configs/*.toml; do
  expect "the example is taken" inside penstock check "/usr/share/doc/penstock/examples/$(basename "$example")"
done
for group in penstock penstock-view; do
  expect "there is a group $group" inside getent group "$group"
done
expect "there are man pages" test -s "$root/usr/share/man/man8/penstockd.8.gz"
expect "of each verb" test "$(find "$root/usr/share/man/man1" -name 'penstock-*.1.gz' | wc -l)" -ge 20
expect "completion is bash" bash -n "$root/usr/share/bash-completion/completions/penstock"
expect "the unit names what is there" test -x "$root$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$root/lib/systemd/system/penstockd.service")"
if command -v systemd-analyze >/dev/null; then
  # The programs that it starts are not there on this side.
  said=$(systemd-analyze verify --man=no "$root/lib/systemd/system/penstockd.service" 2>&1) || true
  expect "systemd knows all keys of the unit: $said" test -z "$(grep -E 'penstockd.service:[0-9]+' <<<"$said")"
fi

say "upgraded"
touch "$root/etc/penstock/penstock.toml"
inside dpkg -i "/tmp/$(basename "$second")"
expect "it is the new version" grep -qx 'Version: 9.0.0' <<<"$(inside dpkg -s penstock)"
expect "the configuration is still there" test -e "$root/etc/penstock/penstock.toml"

say "purged"
mkdir -p "$root/var/lib/penstock/history"
inside dpkg -P penstock
everything >"$work/after"
left=$(comm -13 "$work/before" "$work/after")
expect "nothing is left: $left" test -z "$left"
