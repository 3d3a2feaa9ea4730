# shellcheck shell=bash
# A seed in the form of cloud-init's NoCloud: a file system labelled `cidata` with meta-data, user-data and network-config.
# Sourced by setup. What is understood of it:
#
#   meta-data        instance-id, local-hostname
#   user-data        hostname; ssh_authorized_keys; write_files with path and content, below /etc/penstock; ntp.servers
#   network-config   version 2: ethernets.NAME with match.macaddress or match.name, set-name, dhcp4, addresses, gateway4, gateway6,
#                    routes (to, via), nameservers.addresses. NAME (or set-name) is what the interface is called; mgmt0 is
#                    the management interface
#
# Whatever else it says is named on the console and left out.

SEED=

seed_find() {
  local device
  device=$(blkid --list-one --output device --match-token LABEL=cidata || blkid --list-one --output device --match-token LABEL=CIDATA) || return 1
  SEED=$RUN/seed
  mkdir -p "$SEED"
  mount -o ro "$device" "$SEED" || return 1
}

seed_leave() {
  umount "$SEED"
}

seed_values() {
  [[ ! -e $SEED/$1 ]] || awk -f "$LIBRARY/yaml.awk" "$SEED/$1"
}

seed_instance() {
  local id
  id=$(seed_values meta-data | sed -n 's/^instance-id\t//p')
  echo "${id:-seed-$(cat "$SEED"/* 2>/dev/null | sha256sum | cut -c1-16)}"
}

seed_read() {
  printf 'setup: a seed, %s\n' "$(seed_instance)"
  seed_values meta-data >"$RUN/meta" || fail "meta-data cannot be read"
  seed_values user-data >"$RUN/user" || fail "user-data cannot be read"
  seed_values network-config >"$RUN/network" || fail "network-config cannot be read"
  seed_user
  seed_network
  seed_check
}

seed_user() {
  local path value hostname='' file=''
  seed_ntp=''
  while IFS=$'\t' read -r path value; do
    value=$(printf '%b.' "$value")
    value=${value%.}
    case $path in
    local-hostname) hostname=${hostname:-$value} ;;
    hostname | fqdn) hostname=${value%%.*} ;;
    ssh_authorized_keys.*) printf '%s\n' "$value" >>"$NEW/etc/ssh/authorized_keys" ;;
    ntp.servers.*) seed_ntp+=" $value" ;;
    write_files.*.path)
      file=''
      case $value in
      *..*) printf 'setup: left out: %s\n' "$value" ;;
      /etc/penstock/*) file=$NEW$value ;;
      *) printf 'setup: left out, only files below /etc/penstock are written: %s\n' "$value" ;;
      esac
      ;;
    write_files.*.content)
      [[ -z $file ]] || { mkdir -p "$(dirname "$file")" && printf '%s' "$value" >"$file"; }
      ;;
    write_files.*.permissions) [[ ! -f $file ]] || chmod "$value" "$file" ;;
    instance-id | write_files.*.owner) ;;
    *) printf 'setup: not understood, left out: %s\n' "$path" ;;
    esac
  done < <(cat "$RUN/user" "$RUN/meta")
  [[ -z $hostname ]] || echo "$hostname" >"$NEW/etc/hostname"
}

# of INTERFACE KEY: its values, in one line.
of() {
  sed -n "s/^\(network\.\)\?ethernets\.$1\.$2\t//p" "$RUN/network" | paste -sd' '
}

seed_network() {
  local id name match dhcp routes gateway has_management=''
  for id in $(sed -n 's/^\(network\.\)\?ethernets\.\([^.]*\)\..*/\2/p' "$RUN/network" | uniq); do
    name=$(of "$id" set-name)
    name=${name:-$id}
    match=MACAddress=$(of "$id" 'match\.macaddress')
    [[ $match != MACAddress= ]] || match=OriginalName=$(of "$id" 'match\.name')
    [[ $match != OriginalName= ]] || match=OriginalName=$id
    dhcp=$([[ $(of "$id" dhcp4) == true ]] && echo ipv4 || echo no)
    routes=$(paste -d, <(of "$id" 'routes\.[0-9]*\.to' | tr ' ' '\n') <(of "$id" 'routes\.[0-9]*\.via' | tr ' ' '\n') | grep -v '^,$' || true)
    for gateway in $(of "$id" gateway4); do routes+=" 0.0.0.0/0,$gateway"; done
    for gateway in $(of "$id" gateway6); do routes+=" ::/0,$gateway"; done
    # Of either family, as networkd says it.
    routes=$(sed 's/\bdefault,\([0-9.]*\)\($\| \)/0.0.0.0\/0,\1\2/g; s/\bdefault,/::\/0,/g' <<<"$routes")
    network_file "$name" "$match" "$dhcp" "$(of "$id" 'nameservers\.addresses\.[0-9]*')" "$seed_ntp" \
      "$(of "$id" 'addresses\.[0-9]*')" "$routes"
    of "$id" 'nameservers\.addresses\.[0-9]*' | tr ' ' '\n' | sed -n 's/^./nameserver &/p' >>"$NEW/etc/resolv.conf"
    [[ $name != mgmt0 ]] || has_management=yes
  done
  [[ -n $has_management ]] || management_by_default ipv4 '' "$seed_ntp"
}

# A configuration that is wrong is said and kept beside, so that the box can be reached and put right.
seed_check() {
  local file=$NEW/etc/penstock/penstock.toml
  [[ -e $file ]] || return 0
  penstock check "$file" || mv "$file" "$file.refused"
}
