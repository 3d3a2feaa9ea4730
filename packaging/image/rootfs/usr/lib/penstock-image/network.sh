# shellcheck shell=bash
# Files for systemd-networkd. Sourced by setup.
#
# The management interface is called mgmt0. Its routes are in a table of their own, which only what comes from the box itself
# asks: packets that the box forwards between service networks never get there, and a default route of a service network
# does not take the answers to an operator away.

# network_file NAME MATCH DHCP DNS NTP ADDRESSES ROUTES: MATCH is MACAddress=… or OriginalName=…; ROUTES are of DESTINATION,GATEWAY.
network_file() {
  local name=$1 match=$2 dhcp=$3 dns=$4 ntp=$5 addresses=$6 routes=$7 table=254 address route folder=$NEW/etc/systemd/network
  cat >"$folder/10-$name.link" <<LINK
[Match]
$match

[Link]
Name=$name
LINK
  {
    printf '[Match]\nName=%s\n\n[Network]\nDHCP=%s\nIPv6AcceptRA=no\nLinkLocalAddressing=ipv6\n' "$name" "$dhcp"
    # The box waits for no link.
    printf 'ConfigureWithoutCarrier=yes\nIgnoreCarrierLoss=yes\n'
    for address in $dns; do printf 'DNS=%s\n' "$address"; done
    for address in $ntp; do printf 'NTP=%s\n' "$address"; done
    if [[ $name == mgmt0 ]]; then
      table=100
      printf 'IPv4Forwarding=no\nIPv6Forwarding=no\n\n[DHCPv4]\nRouteTable=%s\n' "$table"
    else
      printf 'IPv4Forwarding=yes\nIPv6Forwarding=yes\n'
    fi
    for address in $addresses; do
      printf '\n[Address]\nAddress=%s\n' "$address"
      [[ $name != mgmt0 ]] || printf 'AddPrefixRoute=no\n\n[Route]\nDestination=%s\nTable=%s\n' "$address" "$table"
    done
    for route in $routes; do
      printf '\n[Route]\nDestination=%s\nGateway=%s\nTable=%s\n' "${route%,*}" "${route#*,}" "$table"
    done
    [[ $name != mgmt0 ]] || management_rules "$table"
  } >"$folder/10-$name.network"
}

# What is bound to the interface goes by it; management networks come before all others, its default route after them.
management_rules() {
  printf '\n[RoutingPolicyRule]\nFamily=both\nOutgoingInterface=mgmt0\nTable=%s\nPriority=100\n' "$1"
  printf '\n[RoutingPolicyRule]\nFamily=both\nIncomingInterface=lo\nTable=%s\nSuppressPrefixLength=0\nPriority=101\n' "$1"
  printf '\n[RoutingPolicyRule]\nFamily=both\nIncomingInterface=lo\nTable=%s\nPriority=33000\n' "$1"
}

# interfaces: NAME MAC DRIVER of each that is a device, in the order of the bus.
interfaces() {
  local path
  for path in /sys/class/net/*/device; do
    path=${path%/device}
    [[ -e $path/address ]] || continue
    printf '%s %s %s %s\n' "$(readlink -f "$path/device")" "${path##*/}" "$(<"$path/address")" \
      "$(basename "$(readlink -f "$path/device/driver")")"
  done | sort | cut -d' ' -f2-
}

# Where nobody names it, the first interface is that of management.
management_by_default() {
  local name mac
  read -r name mac _ < <(interfaces) || fail "there is no network interface"
  printf 'setup: %s (%s) is the management interface\n' "$name" "$mac"
  network_file mgmt0 "MACAddress=$mac" "${1:-yes}" "${2:-}" "${3:-}" "${4:-}" "${5:-}"
}
