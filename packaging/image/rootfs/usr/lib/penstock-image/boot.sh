# shellcheck shell=bash
# What the boot loader remembers, and files that outlive a power cut. Sourced.

readonly RUN=${RUN:-/run/penstock-image} LIBRARY=${LIBRARY:-/usr/lib/penstock-image}

fail() {
  printf 'penstock-image: %s\n' "$*" >&2
  exit 1
}

# word NAME: of the kernel's command line.
word() {
  sed -n "s/.*\b${1//./\\.}=\([^ ]*\).*/\1/p" /proc/cmdline
}

running() {
  word penstock.slot
}

other() {
  [[ $(running) == a ]] && echo b || echo a
}

is_trial() {
  [[ $(word penstock.trial) == 1 && ! -e $RUN/committed ]]
}

version_of() {
  cat "$1/usr/lib/penstock-image/version"
}

# replace FILE [MODE [LIKE]]: with the standard input, wholly or not at all. Without a mode, owner, group, mode and access
# list are those of the file LIKE (FILE itself), if there is one. A symbolic link stays, and what it names is replaced.
replace() {
  local file new like
  file=$(realpath --canonicalize-missing -- "$1")
  like=${3:-$file}
  new=$(mktemp "$file.XXXXXX")
  cat >"$new"
  if [[ -z ${2:-} && -e $like ]]; then
    cp --attributes-only --preserve=mode,ownership,xattr -- "$like" "$new"
  else
    chmod "${2:-644}" "$new"
  fi
  sync "$new"
  mv -- "$new" "$file"
  sync "$(dirname "$file")"
}

# with_boot COMMAND...: with the boot partition mounted, and its grubenv as the last word. One at a time.
with_boot() {
  mkdir -p "$RUN/boot"
  (
    flock 9
    mount -t vfat -o umask=077 /dev/disk/by-partlabel/penstock-boot "$RUN/boot" || exit
    trap 'umount "$RUN/boot"' EXIT
    "$@" "$RUN/boot/grub/grubenv"
  ) 9>"$RUN/lock"
}

env_get() {
  with_boot sed -n "s/^$1=//p"
}

# env_set NAME=VALUE...
env_set() {
  with_boot write_env "$@"
}

# The block has 1024 bytes, and is written in place by one write: it never has half of a change.
write_env() {
  local file=${*: -1} text pair
  text=$(grep -av '^#' "$file") || true
  for pair in "${@:1:$#-1}"; do
    text=$(grep -v "^${pair%%=*}=" <<<"$text") || true
    text+=$'\n'$pair
  done
  text=$'# GRUB Environment Block\n'$(grep . <<<"$text")$'\n'
  ((${#text} < 1024)) || fail "the boot loader's memory has no room for: $*"
  while ((${#text} < 1024)); do text+='#'; done
  dd of="$file" bs=1024 count=1 iflag=fullblock conv=notrunc,fsync status=none <<<"$text"
}
