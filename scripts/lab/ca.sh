# shellcheck shell=bash
# A certificate authority of the lab's own. To be sourced after lab.sh.

# lab_ca: tls/ca.pem and its key.
lab_ca() {
  mkdir -p "$LAB_DIR/tls"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=lab's authority" \
    -keyout "$LAB_DIR/tls/ca.key" -out "$LAB_DIR/tls/ca.pem" 2>/dev/null
}

# lab_certificate FILE NAME FIRST LAST: tls/FILE.pem and .key for a name of the DNS, or an address, valid between the
# two days, counted from today.
lab_certificate() {
  local file=$LAB_DIR/tls/$1 kind=DNS
  [[ $2 =~ ^[0-9.]+$ || $2 == *:* ]] && kind=IP
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
    -keyout "$file.key" -out "$file.csr" 2>/dev/null
  printf 'basicConstraints=CA:FALSE\nsubjectAltName=%s:%s\nextendedKeyUsage=serverAuth,clientAuth\n' \
    "$kind" "$2" >"$file.ext"
  mkdir -p "$file.ca" && : >"$file.ca/index.txt"
  cat >"$file.ca/openssl.cnf" <<CONF
[ca]
default_ca = lab
[lab]
database = $file.ca/index.txt
new_certs_dir = $file.ca
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
CONF
  openssl ca -batch -notext -config "$file.ca/openssl.cnf" -cert "$LAB_DIR/tls/ca.pem" -keyfile "$LAB_DIR/tls/ca.key" \
    -startdate "$(date --utc --date "$3 days" +%Y%m%d%H%M%SZ)" -enddate "$(date --utc --date "$4 days" +%Y%m%d%H%M%SZ)" \
    -extfile "$file.ext" -in "$file.csr" -out "$file.pem" 2>/dev/null
}

# lab_nginx_tls N CERTIFICATE [MORE]: on port 8443, beside the other servers of backend N.
lab_nginx_tls() {
  local n=$1 directory=$LAB_DIR/tls/be$1
  mkdir -p "$directory"
  cat >"$directory/nginx.conf" <<CONF
daemon off;
user root;
worker_processes 1;
pid $directory/nginx.pid;
error_log stderr warn;
events {}
http {
  access_log off;
  server {
    listen 8443 ssl;
    listen [::]:8443 ssl;
    ssl_certificate $LAB_DIR/tls/$2.pem;
    ssl_certificate_key $LAB_DIR/tls/$2.key;
    ${3:-}
    location / { return 200 "be$n, safely\n"; }
  }
}
CONF
  lab_start "be$n" "tls$n" nginx -c "$directory/nginx.conf" -e stderr -p "$directory"
  wait_for 10 "nginx of be$n with TLS" lab_listens "be$n" 8443
}

# lab_starttls N CERTIFICATE: on port 2525.
lab_starttls() {
  lab_start "be$1" "starttls$1" "$ROOT/scripts/lab/starttls.py" 2525 "$LAB_DIR/tls/$2.pem" "$LAB_DIR/tls/$2.key"
  wait_for 10 "the mail server of be$1 with TLS" lab_listens "be$1" 2525
}

# lab_smtpd N: on port 25; takes no mail. The machine can have one at a time. It asks for its clients' names before it
# greets: the backend's own name server says at once that they have none.
lab_smtpd() {
  local directory=$LAB_DIR/smtp$1
  mkdir -p "$directory"
  cat >"$directory/smtpd.conf" <<CONF
listen on eth0 hostname mail.lab.example
match from any for any reject
CONF
  chmod 600 "$directory/smtpd.conf"
  echo 'nameserver 127.0.0.1' >"$directory/resolv.conf"
  # In the mount namespace that `ip netns exec` has made.
  # shellcheck disable=SC2016 # for the inner shell
  lab_start "be$1" "smtpd$1" sh -c 'mount --bind "$0/resolv.conf" /etc/resolv.conf && exec smtpd -d -f "$0/smtpd.conf"' \
    "$directory"
  wait_for 10 "smtpd of be$1" lab_listens "be$1" 25
}
