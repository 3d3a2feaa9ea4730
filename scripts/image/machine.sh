# shellcheck shell=bash
# Emulated machines that an image boots on. Sourced by scripts/test-image.
#
# Box N has its files in $LAB_DIR/boxN: disk, seed, console.log. Zero-copy on virtio-net asks two things of the emulator:
# iommu_platform, so that the guest's kernel maps memory for the device itself, and that single queues can be reset, which
# QEMU offers unasked.

readonly QUEUES=4 CORES=3

# machine_disk N: a fresh one, larger than the image.
machine_disk() {
  mkdir -p "$LAB_DIR/box$1"
  qemu-img create -q -f qcow2 -b "$IMAGE" -F qcow2 "$LAB_DIR/box$1/disk" 2G
}

# machine_seed N: from meta-data, user-data and network-config in its folder.
machine_seed() {
  local at=$LAB_DIR/box$1
  rm -f "$at/seed"
  truncate -s 1M "$at/seed"
  mkfs.vfat -n CIDATA "$at/seed" >/dev/null
  mcopy -i "$at/seed" "$at"/{meta-data,user-data,network-config} ::
}

# nic N NUMBER BRIDGE: words for the emulator.
nic() {
  local name=t$1$2
  ip -n "$LAB-host" link show "$name" >/dev/null 2>&1 || tap "$name" "$3"
  printf '%s\n' -netdev "tap,id=$name,ifname=$name,script=no,downscript=no,vhost=off,queues=$QUEUES" \
    -device "virtio-net-pci,netdev=$name,mac=52:54:00:00:0$1:0$2,mq=on,vectors=$((2 * QUEUES + 2)),iommu_platform=on,disable-legacy=on,rx_queue_size=1024,romfile="
}

# machine_start N [uefi]
machine_start() {
  local at=$LAB_DIR/box$1 words=()
  mapfile -t words < <(nic "$1" 1 br-mgmt && nic "$1" 2 br-front && nic "$1" 3 br-back)
  [[ ! -e $at/seed ]] || words+=(-drive "file=$at/seed,format=raw,if=virtio,readonly=on")
  if [[ ${2:-} == uefi ]]; then
    [[ -e $at/vars ]] || cp /usr/share/OVMF/OVMF_VARS_4M.fd "$at/vars"
    words+=(-drive "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd" -drive "if=pflash,format=raw,file=$at/vars")
  fi
  [[ ! -e $at/console.log ]] || cat "$at/console.log" >>"$at/consoles.log"
  rm -f "$at/console" "$at/console.log"
  lab_start host "box$1" qemu-system-x86_64 -M q35 -accel tcg,thread=single -cpu max -smp "$CORES" -m 1024 -display none \
    -chardev "socket,id=console,path=$at/console,server=on,wait=off,logfile=$at/console.log" -serial chardev:console -monitor none \
    -drive "id=disk,file=$at/disk,format=qcow2,if=none,cache=writeback,discard=unmap" -device virtio-blk-pci,drive=disk,bootindex=0 -device i6300esb -action watchdog=reset "${words[@]}"
}

machine_kill() {
  lab_stop "box$1" KILL
}

# ssh_to N SECONDS: the command that connects to box N within that time, in `words`. An emulated machine beside other load takes
# tens of seconds to start its sshd, so only a poll has a short timeout.
ssh_to() {
  words=(ssh -i "$LAB_DIR/key" -o LogLevel=ERROR -o UserKnownHostsFile="$LAB_DIR/box$1/known" -o StrictHostKeyChecking=accept-new
    -o BatchMode=yes -o ConnectTimeout="$2" -o ServerAliveInterval=10 -o ServerAliveCountMax=12 "root@10.9.0.1$1")
}

# box N COMMAND...: by ssh, from the operator's namespace.
box() {
  local words
  ssh_to "$1" 90
  lab_in host "${words[@]}" "${@:2}"
}

# box_begin N NAME COMMAND...: in the background, output to log/NAME.log; lab_stop NAME ends it.
box_begin() {
  local words
  ssh_to "$1" 90
  lab_start host "$2" "${words[@]}" "${@:3}"
}

# box_soon SECONDS N COMMAND...: repeated until the command succeeds. Failed attempts are printed with their status, in which 255
# is that of ssh itself.
box_soon() {
  local deadline=$((SECONDS + $1)) status attempt
  for ((attempt = 1; ; attempt++)); do
    status=0
    box "${@:2}" || status=$?
    ((status)) || return 0
    printf 'attempt %d ended at %s with status %d\n' "$attempt" "$(date +%T)" "$status"
    ((SECONDS < deadline)) || return 1
    sleep 2
  done
}

# said N PATTERN: on the console of this start.
said() {
  grep -qa -- "$2" "$LAB_DIR/box$1/console.log"
}

machine_up() {
  wait_for "${2:-600}" "box $1 to be reached by ssh" machine_answers "$1"
}

machine_answers() {
  local words
  lab_alive "box$1" || return 1
  sleep 1
  ssh_to "$1" 10
  lab_in host "${words[@]}" true
}

boot_id() {
  box "$1" cat /proc/sys/kernel/random/boot_id
}

# machine_again N COMMAND...: something that starts the machine again, and waits until it is back.
machine_again() {
  local n=$1 before
  shift
  before=$(boot_id "$n")
  box "$n" "$@" || true
  wait_for 900 "box $n to be back" machine_is_new "$n" "$before"
}

machine_is_new() {
  local now
  sleep 2
  now=$(boot_id "$1") && [[ -n $now && $now != "$2" ]]
}
