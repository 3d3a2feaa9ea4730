# shellcheck shell=bash
# The virtio_net module of the image's kernel, with one flaw mended: packaging/image/driver says which. Sourced by
# scripts/build-image.

# driver KERNEL VERSION PATCH INTO: of Debian's kernel and of its package; a folder to work in. Prints the module's file,
# which is kept there.
driver() {
  local kernel=$1 version=$2 patch=$3 into=$4 kept builder=$4/builder source
  kept=$into/virtio_net-$version-$(sha256sum "$patch" | cut -c1-12).ko
  if [[ ! -e $kept ]]; then
    source=linux-source-$(cut -d. -f1,2 <<<"$kernel")
    rm -rf "$builder" "$into"/virtio_net-*.ko
    bootstrap "$builder" "apt linux-headers-$kernel make binutils" --format=directory \
      --customize-hook="chroot \"\$1\" sh -c 'mkdir -p /usr/src/driver && cd /usr/src/driver && apt-get -qq download $source=$version'" >&2
    dpkg-deb --fsys-tarfile "$builder/usr/src/driver/${source}_"*.deb | tar -xO "./usr/src/$source.tar.xz" | xz -dc |
      tar -x -C "$builder/usr/src/driver" --strip-components=3 "$source/drivers/net/virtio_net.c" ||
      fail "$source $version cannot be had, or has no virtio_net: Debian keeps the source of its newest kernels alone; --fresh takes the newest"
    command patch --quiet "$builder/usr/src/driver/virtio_net.c" "$patch" >&2 ||
      fail "the patch of virtio_net does not fit kernel $kernel: is the flaw mended there? See packaging/image/driver/README.md"
    echo 'obj-m := virtio_net.o' >"$builder/usr/src/driver/Kbuild"
    root=$builder inside sh -ec "make -C /usr/src/linux-headers-$kernel M=/usr/src/driver modules && strip --strip-debug /usr/src/driver/virtio_net.ko" \
      >"$into/driver.log" 2>&1 || fail "virtio_net cannot be built: see $into/driver.log"
    mv "$builder/usr/src/driver/virtio_net.ko" "$kept"
    rm -rf "$builder"
  fi
  echo "$kept"
}
