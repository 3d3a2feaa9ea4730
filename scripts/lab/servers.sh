# shellcheck shell=bash
# Real servers for the lab's backends. To be sourced after lab.sh.

# A file of 200 MB that compresses to nothing less, shared by all backends; its digest beside it.
lab_big_file() {
  [[ -f $LAB_DIR/200M.sha256 ]] && return
  head -c 200000000 /dev/urandom >"$LAB_DIR/200M"
  lab_digest <"$LAB_DIR/200M" >"$LAB_DIR/200M.sha256"
}

lab_digest() {
  sha256sum | cut -d' ' -f1
}

# lab_nginx N: backend N answers `beN` on /, /200M, PUT of /upload/NAME, on ports 80 and 8080. The
# uploads land in beN/upload, the addresses of its clients in beN/access.log.
lab_nginx() {
  local n=$1 directory=$LAB_DIR/be$1
  mkdir -p "$directory"/{upload,tmp}
  cat >"$directory/nginx.conf" <<CONF
daemon off;
user root;
worker_processes 1;
pid $directory/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  log_format client '\$remote_addr \$request_method \$uri \$status';
  log_format proxy '\$proxy_protocol_addr \$request_method \$uri \$status';
  access_log $directory/access.log client;
  client_body_temp_path $directory/tmp;
  client_max_body_size 300m;
  sendfile on;
  server {
    listen 80 backlog=4096;
    listen [::]:80 backlog=4096;
    listen 8080 backlog=4096;
    listen [::]:8080 backlog=4096;
    default_type text/plain;
    location = / { return 200 "be$n\n"; }
    location = /healthz {
      if (-f $directory/ill) { return 503; }
      return 200 "all well\n";
    }
    location = /200M { alias $LAB_DIR/200M; }
    location /upload/ { root $directory; dav_methods PUT; }
  }
  server {
    # Who speaks the PROXY protocol, and who it says that the client is.
    listen 8081 proxy_protocol;
    listen [::]:8081 proxy_protocol;
    access_log $directory/proxy.log proxy;
    default_type text/plain;
    location = / { return 200 "be$n\n"; }
    location /upload/ { root $directory; dav_methods PUT; }
  }
}
CONF
  lab_start "be$n" "nginx$n" nginx -c "$directory/nginx.conf" -e stderr -p "$directory"
  wait_for 10 "nginx of be$n" lab_listens "be$n" 8080
}

# lab_dnsmasq N: the zone test.penstock on port 53; the TXT record `who` names the backend, the one of
# `big` takes two fragments.
lab_dnsmasq() {
  local n=$1 text
  text=$(printf '%0200d' "$n")
  lab_start "be$n" "dnsmasq$n" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
    --user=root --pid-file= --edns-packet-max=4096 --log-facility=- --local=/test.penstock/ \
    --host-record=www.test.penstock,192.0.2.80,2001:db8::80 --txt-record="who.test.penstock,be$n" \
    --txt-record="big.test.penstock$(printf ",$text%.0s" {1..12})"
  wait_for 10 "dnsmasq of be$n" lab_in "be$n" dig +time=1 +tries=1 @127.0.0.1 who.test.penstock TXT
}

# lab_haproxy N: takes the PROXY protocol on port 8082, logs whom it names, and hands on to nginx.
lab_haproxy() {
  local directory=$LAB_DIR/be$1
  cat >"$directory/haproxy.cfg" <<CONF
global
  log stdout format raw daemon
defaults
  mode http
  log global
  log-format "%ci %HM %HU %ST"
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend proxied
  bind :8082 accept-proxy
  bind :::8082 v6only accept-proxy
  default_backend web
backend web
  server nginx 127.0.0.1:8080
CONF
  lab_start "be$1" "haproxy$1" haproxy -W -db -f "$directory/haproxy.cfg"
  wait_for 10 "haproxy of be$1" lab_listens "be$1" 8082
}

# lab_decapsulate N: opens what comes to backend N through a tunnel.
lab_decapsulate() {
  lab_start "be$1" "decap$1" "$BIN/penstock-decap" --interface eth0 --gue-port 6080 \
    --address "$(lab_backend4 "$1")" --address "$(lab_backend6 "$1")"
  wait_for 10 "penstock-decap of be$1" grep -q ready "$LAB_DIR/log/decap$1.log"
}

# lab_iperf3 N
lab_iperf3() {
  lab_start "be$1" "iperf$1" iperf3 --server
  wait_for 10 "iperf3 of be$1" lab_listens "be$1" 5201
}

# Requests that backend N has logged, of the path given.
lab_requests() {
  awk -v path="${2:-/}" '$3 == path { n++ } END { print n + 0 }' "$LAB_DIR/be$1/access.log" 2>/dev/null || echo 0
}
