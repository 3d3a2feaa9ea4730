# shellcheck shell=bash
# Captures in the lab's namespaces, and what tshark says of their checksums.

# capture NAME NAMESPACE DEVICE: at most 60 MB, whole frames.
capture() {
  lab_start "$2" "capture-$1" dumpcap -q -i "$3" -B 16 -a filesize:60000 -w "$LAB_DIR/$1.pcapng"
  wait_for 10 "the capture on $2" grep -q 'File:' "$LAB_DIR/log/capture-$1.log"
}

# dumpcap reads in batches: what it has not written yet is lost when it ends.
capture_end() {
  local size=-1
  until [[ $(stat -c %s "$LAB_DIR/$1.pcapng") == "$size" ]]; do
    size=$(stat -c %s "$LAB_DIR/$1.pcapng")
    sleep 0.3
  done
  lab_stop "capture-$1" INT
}

readonly CHECKSUMS=(-o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE)

# packets NAME FILTER: how many there are.
packets() {
  tshark -r "$LAB_DIR/$1.pcapng" "${CHECKSUMS[@]}" -Y "$2" -T fields -e frame.number 2>/dev/null | wc -l
}

# checksums_are_right NAME AT_LEAST: tshark finds so many packets of TCP or UDP with a right
# checksum, and none of any kind with a wrong one.
checksums_are_right() {
  local protocols=(ip tcp udp icmp icmpv6) wrong='' protocol good bad
  for protocol in "${protocols[@]}"; do
    wrong+="${wrong:+ || }$protocol.checksum.status == 0"
  done
  good=$(packets "$1" 'tcp.checksum.status == 1 || udp.checksum.status == 1')
  bad=$(packets "$1" "$wrong")
  say "tshark, $1: $good packets with a right checksum, $bad with a wrong one"
  ((good >= $2)) || refute "the capture $1 holds only $good packets of TCP and UDP: $2 expected"
  ((bad == 0)) || {
    tshark -r "$LAB_DIR/$1.pcapng" "${CHECKSUMS[@]}" -Y "$wrong" -c 5 2>/dev/null || true
    refute "$bad packets with a wrong checksum in the capture $1"
  }
}
