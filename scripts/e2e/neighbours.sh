# shellcheck shell=bash
# Clients that come and go, for scenarios and benches of neighbours. Sourced after lib.sh.

# fresh_addresses FIRST NUMBER: on the client's interface, all of them at once.
fresh_addresses() {
  python3 - "$@" <<'PYTHON' >"$LAB_DIR/addresses"
import ipaddress, sys
first, number = ipaddress.ip_address(sys.argv[1]), int(sys.argv[2])
length, nodad = (32, "") if first.version == 4 else (128, " nodad")
for n in range(number):
    print(f"address add {first + n}/{length} dev eth0{nodad}")
PYTHON
  ip -n "$LAB-client" -batch "$LAB_DIR/addresses"
}

# fresh tcp|udp VIP PORT FIRST NUMBER: prints what fresh.py reports.
fresh() {
  lab_in client python3 "$E2E/fresh.py" "$@"
}

neighbour_missing() {
  penstock --json drops | jq '[.[] | select(.code == "neighbour-missing").count] | add // 0'
}

# A host of its own on the client's wire: namespace `host`, device eth0.
lab_guest() {
  lab_namespace host
  lab_in host sysctl -qw net.ipv6.conf.all.keep_addr_on_down=1 net.ipv6.conf.default.keep_addr_on_down=1
  ip -n "$LAB-client" link add guest0 link eth0 type macvlan mode bridge
  ip -n "$LAB-client" link set guest0 netns "$LAB-host" name eth0
  guest_mac 02:00:00:00:07:00
  lab_plain host eth0
  lab_address host eth0 10.0.0.77/24 fd00::77/64
}

# guest_mac MAC: as a machine that was replaced.
guest_mac() {
  ip -n "$LAB-host" link set eth0 down
  ip -n "$LAB-host" link set eth0 address "$1"
  ip -n "$LAB-host" link set eth0 up
}

# guest_asks VIP SECONDS: whether the host gets an answer within that time.
guest_asks() {
  lab_in host curl --silent --show-error --fail --globoff --max-time "$2" --output /dev/null "$(url "$1")/"
}
