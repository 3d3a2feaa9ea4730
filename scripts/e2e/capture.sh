# shellcheck shell=bash
# Captures in the lab's namespaces, and what tshark says of their checksums.

# capture NAME NAMESPACE DEVICE: at most 30 MB, whole frames.
capture() {
  lab_start "$2" "capture-$1" dumpcap -q -i "$3" -B 16 -a filesize:30000 -w "$LAB_DIR/$1.pcapng"
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

# Only headers and checksums are of interest: without reassembly tshark takes a third of the time.
readonly TSHARK=(-n --disable-protocol http --disable-protocol data -o tcp.desegment_tcp_streams:FALSE
  -o tcp.analyze_sequence_numbers:FALSE -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE
  -o udp.check_checksum:TRUE)
readonly FIELDS=(-e frame.number -e tcp.checksum -e tcp.checksum_calculated -e tcp.checksum.status
  -e udp.checksum.status -e ip.checksum.status -e icmp.checksum.status -e icmpv6.checksum.status)

# verdicts NAME: of each packet the states of its checksums, 1 for right, 0 for wrong.
verdicts() {
  tshark -r "$LAB_DIR/$1.pcapng" "${TSHARK[@]}" -T fields -E separator=, -E occurrence=f "${FIELDS[@]}" 2>/dev/null
}

# checksums_are_right NAME AT_LEAST: tshark finds so many packets of TCP or UDP with a right
# checksum, and none of any kind with a wrong one.
checksums_are_right() {
  local good bad example
  # Linux, which computes in software here, writes a checksum of zero as 0xffff. In one's complement
  # both are zero and every receiver takes either; tshark calls it wrong.
  read -r good bad example < <(verdicts "$1" | awk -F, '
    $2 == "0xffff" && $3 == "0x0000" { $4 = 1 }
    $4 == 1 || $5 == 1 { good++ }
    { for (i = 4; i <= NF; i++) if ($i == "0") { bad++; if (!example) example = $1; break } }
    END { print good + 0, bad + 0, example + 0 }')
  say "tshark, $1: $good packets with a right checksum, $bad with a wrong one"
  ((good >= $2)) || refute "the capture $1 holds only $good packets of TCP and UDP: $2 expected"
  ((bad == 0)) || {
    tshark -r "$LAB_DIR/$1.pcapng" "${TSHARK[@]}" -Y "frame.number == $example" -V -x 2>/dev/null || true
    refute "$bad packets with a wrong checksum in the capture $1, the first is number $example"
  }
}
