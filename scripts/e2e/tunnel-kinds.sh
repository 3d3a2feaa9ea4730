#!/usr/bin/env bash
# sentence: each kind of tunnel, over each family, carries requests of each family, while one reload after the other goes from kind to kind
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

readonly KINDS=('kind = "ipip"' 'kind = "gre"' 'kind = "gue", variant = 0' 'kind = "gue", variant = 1')

# An IPv4 VIP behind IPv6 tunnels, and the other way round, too.
write_config() {
  write_node
  service same4 "$VIP4" 80 tcp tunnel '' lab_backend4 100 100 100
  service same6 "$VIP6" 80 tcp tunnel '' lab_backend6 100 100 100
  service cross4 "$VIP4" 8080 tcp tunnel '' lab_backend6 100 100 100
  service cross6 "$VIP6" 8080 tcp tunnel '' lab_backend4 100 100 100
}

carries() {
  wait_for 10 "$1 to answer" vip_answers "$1" || refute "$1 does not answer"
  ab_requests "$1" 500 20
  # Full segments do not fit behind another header: this needs the box to tell the client.
  upload_is_intact "$1" "$LAB_DIR/20M"
}

begin tunnel
web_servers
decapsulators
head -c 20000000 "$LAB_DIR/200M" >"$LAB_DIR/20M"
for TUNNEL in "${KINDS[@]}"; do
  say "$TUNNEL"
  configure 100 100 100
  if lab_alive penstockd; then
    expect "the reload is accepted" penstock reload
  else
    start_penstockd
  fi
  for target in "$VIP4" "$VIP6"; do
    carries "$target"
    carries "$(with_port "$target" 8080)"
  done
done
expect "penstockd still answers" daemon_lives
