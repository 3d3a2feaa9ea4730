# shellcheck shell=bash
# The dialogue on the console, where there is no seed. Sourced by setup.

# question TEXT DEFAULT PATTERN: until the answer fits; in $answer.
question() {
  while true; do
    read -rp "$1${2:+ [$2]}: " answer || fail "the console is gone"
    answer=${answer:-$2}
    [[ ! $answer =~ $3 ]] || return 0
    printf 'That is not understood.\n'
  done
}

ask() {
  local answer name mac address gateway='' dns='' management others=()
  printf '\nPenstock has not been set up yet, and there is no seed. Some questions; the answers can be corrected at the end.\n'
  until ask_once; do :; done
}

ask_once() {
  rm -rf "$NEW"
  mkdir -p "$NEW/etc/systemd/network" "$NEW/etc/ssh" "$NEW/etc/penstock"
  question "Name of the box" lb1 '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'
  echo "$answer" >"$NEW/etc/hostname"
  printf 'Interfaces:\n'
  interfaces | sed 's/^/  /'
  read -r name _ < <(interfaces)
  question "Interface of management, which carries no traffic of services" "$name" "^($(interfaces | cut -d' ' -f1 | paste -sd'|'))\$"
  management=$answer
  mac=$(interfaces | awk -v name="$management" '$1 == name { print $2 }')
  mapfile -t others < <(interfaces | awk -v name="$management" '$1 != name { print $1 }')
  question "Its address with length, or dhcp" dhcp '^(dhcp|[0-9.]+/[0-9]+|[0-9a-f:]+/[0-9]+)$'
  address=$answer
  if [[ $address == dhcp ]]; then
    network_file mgmt0 "MACAddress=$mac" ipv4 '' '' '' ''
  else
    question "Its gateway, or none" none '^(none|[0-9.]+|[0-9a-f:]+)$'
    [[ $answer == none ]] || gateway=$([[ $answer == *:* ]] && echo "::/0,$answer" || echo "0.0.0.0/0,$answer")
    question "A name server, or none" none '^(none|[0-9.]+|[0-9a-f:]+)$'
    [[ $answer == none ]] || { dns=$answer && echo "nameserver $dns" >"$NEW/etc/resolv.conf"; }
    network_file mgmt0 "MACAddress=$mac" no "$dns" "$dns" "$address" "$gateway"
  fi
  question "Your ssh public key, in one line (the only way in)" '' '^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/=]+'
  echo "$answer" >"$NEW/etc/ssh/authorized_keys"
  ask_service
  question "Write this, and start again (yes, or no to begin anew)" yes '^(yes|no)$'
  [[ $answer == yes ]]
}

# A first service, in one-arm mode: it asks nothing of the network but an address.
ask_service() {
  local vip front pool backends backend
  question "A virtual IP to begin with, or none" none '^(none|[0-9.]+)$'
  vip=$answer
  [[ $vip != none && ${#others[@]} -gt 0 ]] || return 0
  question "The interface that carries it" "${others[0]}" "^($(printf '%s\n' "${others[@]}" | paste -sd'|'))\$"
  front=$answer
  question "The box's own address there, with length" '' '^[0-9.]+/[0-9]+$'
  network_file "$front" "OriginalName=$front" no '' '' "$answer" ''
  question "An address that it speaks to the backends from, of nobody else" '' '^[0-9.]+$'
  pool=$answer
  question "Backends as ADDRESS:PORT, with spaces between" '' '^[0-9.]+:[0-9]+( +[0-9.]+:[0-9]+)*$'
  backends=$answer
  {
    printf '[node]\nname = "%s"\n\n[[interface]]\nname = "%s"\n\n' "$(<"$NEW/etc/hostname")" "$front"
    printf '[[service]]\nname = "web"\naddress = "%s"\nport = 80\nmode = "one-arm"\nsnat_pool = ["%s"]\n' "$vip" "$pool"
    for backend in $backends; do
      printf '\n[[service.backend]]\naddress = "%s"\nport = %s\n' "${backend%:*}" "${backend#*:}"
    done
  } >"$NEW/etc/penstock/penstock.toml"
  penstock check "$NEW/etc/penstock/penstock.toml" || rm "$NEW/etc/penstock/penstock.toml"
}
