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
    location = /200M { alias $LAB_DIR/200M; }
    location /upload/ { root $directory; dav_methods PUT; }
  }
}
CONF
  lab_start "be$n" "nginx$n" nginx -c "$directory/nginx.conf" -e stderr -p "$directory"
  wait_for 10 "nginx of be$n" lab_listens "be$n" 8080
}

# lab_dnsmasq N: the zone test.penstock on port 53; the TXT record `who` names the backend.
lab_dnsmasq() {
  local n=$1
  lab_start "be$n" "dnsmasq$n" dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
    --user=root --pid-file= --log-facility=- --local=/test.penstock/ \
    --host-record=www.test.penstock,192.0.2.80,2001:db8::80 --txt-record="who.test.penstock,be$n"
  wait_for 10 "dnsmasq of be$n" lab_in "be$n" dig +time=1 +tries=1 @127.0.0.1 who.test.penstock TXT
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
