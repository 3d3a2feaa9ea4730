# shellcheck shell=bash
# Checks that take the data path. To be sourced after lib.sh.

readonly EVERY='interval = "100ms", timeout = "300ms", rise = 1, fall = 2'

write_config() {
  write_node
  # shellcheck disable=SC2034 # service reads it
  SERVICE_KEYS="health = { check = \"http\", via = \"$VIA\", $EVERY }"
  service web4 "$VIP4" 80 tcp "$(mode)" '' lab_backend4 100 100
  service web6 "$VIP6" 80 tcp "$(mode)" '' lab_backend6 100 100
  # The virtual IP and the tunnel are of two families.
  case $(mode) in tunnel) service cross4 "$VIP4" 8080 tcp tunnel '' lab_backend6 100 100 ;; esac
}

states() {
  penstock --json services | jq -r '[.[] | .backends[] | if .checks[0].results > 0 then .state else "unchecked" end] | join(" ")'
}

# are STATE...: those of backend 1 and 2, the same for all services.
are() {
  local all
  all=$(states)
  [[ ${all//$1 $2/} =~ ^\ *$ ]]
}

become() {
  wait_for 5 "the backends to be $*" are "$@" || refute "the backends are $(states), not $*"
  say "$1 $2: $(penstock --json services web4 | jq -r '.backends[0].last_result')"
}

marked_rules() {
  { lab_in box ip rule && lab_in box ip -6 rule; } | grep -c 'fwmark 0x5053' || true
}

# In a lab of this topology.
checks_take_the_data_path() {
  # shellcheck disable=SC2034 # lib.sh reads it
  BACKENDS=2
  begin "$1"
  web_servers
  case $1 in tunnel) decapsulators ;; esac
  VIA=data-path
  configure 100 100
  start_penstockd
  become up up
  expect "clients are served" vip_answers "$VIP4"

  for address in "$VIP4/32" "$VIP6/128"; do lab_in be1 ip address delete "$address" dev lo; done
  become down up
  VIA=socket
  configure 100 100
  expect "the reload is accepted" penstock reload
  become up up
  expect "the device is gone, and nothing leads there" test "$(marked_rules)" = 0
  VIA=data-path
  configure 100 100
  expect "the reload is accepted" penstock reload
  become down up
  lab_vip_on_loopback 1
  become up up

  if [[ $1 == tunnel ]]; then
    lab_stop decap1
    become down up
    lab_decapsulate 1
    become up up
  fi
  expect "checks leave no flow behind" test "$(penstock --json flows | jq length)" -le 2
  expect "penstockd still answers" daemon_lives
  lab_stop penstockd
  expect "nothing of it stays behind" test "$(marked_rules)" = 0
}
