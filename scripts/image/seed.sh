# shellcheck shell=bash
# Seeds and configurations of the boxes that scripts/test-image starts. Sourced.

# configuration N XDP: three modes at once, on virtual routers of which box 1 is master.
configuration() {
  local n service
  cat <<TOML
[node]
name = "lb$1"

[dataplane]
flows = 65_536

[[interface]]
name = "front0"
xdp = "$2"

[[interface]]
name = "back0"
xdp = "$2"

[[vrrp]]
name = "outside"
interface = "front0"
vrid = 51
priority = $((201 - $1))
addresses = ["$ROUTER_VIP", "$DSR_VIP", "$ONE_ARM_VIP", "$POOL"]
sync_group = "gateway"

[[vrrp]]
name = "inside"
interface = "back0"
vrid = 52
priority = $((201 - $1))
addresses = ["10.0.1.1"]
sync_group = "gateway"
TOML
  for service in "router $ROUTER_VIP 10.0.1.11 10.0.1.12" "dsr $DSR_VIP 10.0.0.13 10.0.0.14" "one-arm $ONE_ARM_VIP 10.0.0.13 10.0.0.14"; do
    read -r mode vip first second <<<"$service"
    printf '\n[[service]]\nname = "%s"\naddress = "%s"\nport = 80\nmode = "%s"\nscheduler = "rr"\n' "$mode" "$vip" "$mode"
    [[ $mode != one-arm ]] || printf 'snat_pool = ["%s"]\n' "$POOL"
    for n in "$first" "$second"; do printf '\n[[service.backend]]\naddress = "%s"\n' "$n"; done
  done
}

# seed N: what the box's disk of that label says.
seed() {
  local at=$LAB_DIR/box$1
  cat >"$at/meta-data" <<META
instance-id: box-$1
META
  {
    printf '#cloud-config\nhostname: lb%s\nssh_authorized_keys:\n  - %s\nwrite_files:\n' "$1" "$(<"$LAB_DIR/key.pub")"
    printf '  - path: /etc/penstock/penstock.toml\n    content: |\n'
    configuration "$1" zero-copy | sed 's/^./      &/'
  } >"$at/user-data"
  cat >"$at/network-config" <<NETWORK
version: 2
ethernets:
  mgmt0:
    match:
      macaddress: "52:54:00:00:0$1:01"
    addresses: [10.9.0.1$1/24]
    gateway4: $MGMT
  front0:
    match:
      macaddress: "52:54:00:00:0$1:02"
    addresses: [10.0.0.2$1/24]
  back0:
    match:
      macaddress: "52:54:00:00:0$1:03"
    addresses: [10.0.1.2$1/24]
NETWORK
  machine_seed "$1"
}
