#!/usr/bin/env bash
# sentence: nginx and HAProxy understand the PROXY protocol, v1 and v2, uploads of 50 MB through it are intact, and logs show the client
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=traffic.sh
. "$E2E/traffic.sh"

# The service's port names the server: 80 nginx, 81 HAProxy.
write_config() {
  write_node
  service nginx4 "$VIP4" 80 tcp one-arm 8081 lab_backend4 "$@"
  service nginx6 "$VIP6" 80 tcp one-arm 8081 lab_backend6 "$@"
  service haproxy4 "$VIP4" 81 tcp one-arm 8082 lab_backend4 "$@"
  service haproxy6 "$VIP6" 81 tcp one-arm 8082 lab_backend6 "$@"
}

# nginx logs an address of version 1, which is text, as it was written.
readonly CLIENT6_LONG=fd00:0:0:0:0:0:0:2

# Both servers' logs name nobody but the clients, each in its own family.
logs_name_the_clients() {
  local n log
  for ((n = 1; n <= BACKENDS; n++)); do
    for log in "$LAB_DIR/be$n/proxy.log" "$LAB_DIR/log/haproxy$n.log"; do
      awk -v v4="$CLIENT4" -v v6="$CLIENT6" -v long="$CLIENT6_LONG" '
        $1 == long { $1 = v6 }
        $2 ~ /^(GET|PUT)$/ { seen[$1]++; if ($1 != v4 && $1 != v6) { print "foreign address:", $0; wrong = 1 } }
        END { exit wrong || !seen[v4] || !seen[v6] }' "$log" || refute "$log does not name both clients, and them alone"
    done
  done
}

begin one-arm
web_servers
for ((n = 1; n <= BACKENDS; n++)); do lab_haproxy "$n"; done
head -c 50000000 "$LAB_DIR/200M" >"$LAB_DIR/50M"
for version in proxy-v1 proxy-v2; do
  say "$version"
  SERVICE_KEYS="client_address = \"$version\""
  configure 100 100 100
  start_penstockd
  for target in "$VIP4" "$VIP6" "$(with_port "$VIP4" 81)" "$(with_port "$VIP6" 81)"; do
    wait_for 10 "$target to answer" vip_answers "$target" || refute "$target does not answer"
    ab_requests "$target" 1000 20
    upload_is_intact "$target" "$LAB_DIR/50M"
  done
  logs_name_the_clients
  expect "penstockd still answers" daemon_lives
  lab_stop penstockd
done
