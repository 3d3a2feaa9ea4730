#!/usr/bin/env bash
# sentence: files that nothing can be read from (a FIFO as the configuration, as what VRRP tracks, as a certificate) stop neither the management thread nor the checks
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

is_master() {
  [[ $(penstock --json vrrp | jq -r '.[0].state') == "$1" ]]
}

check_runs() {
  services_show '.[] | select(.name == "web6") | all(.backends[]; .checks[0].results > 1)' >/dev/null
}

serves() {
  ip -n "$LAB-client" neighbour flush dev eth0
  vip_answers "$VIP4" && daemon_lives
}

begin router
web_servers
configure 100 100 100
vrrp_alone
mkfifo "$LAB_DIR/tracked" "$LAB_DIR/ca.pem"
echo "track = [{ file = \"$LAB_DIR/tracked\", interval = \"100ms\", weight = -10 }]" >>"$(config_file)"
sed -i "s|^name = \"iperf4\"\$|&\nhealth = { check = \"https\", ca = \"$LAB_DIR/ca.pem\", interval = \"200ms\", timeout = \"1s\" }|
        s|^name = \"web6\"\$|&\nhealth = { check = \"tcp\", interval = \"200ms\", timeout = \"1s\" }|" "$(config_file)"
start_penstockd
wait_for 10 "the box to be master" is_master master || refute "the box is not master"
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
wait_for 10 "the checks of web6" check_runs || refute "a FIFO as a certificate stops the checks"

say "a FIFO in the place of the configuration"
mv "$(config_file)" "$LAB_DIR/real.toml"
mkfifo "$(config_file)"
if penstock reload 2>"$LAB_DIR/log/reload.log"; then refute "a FIFO was taken for a configuration"; fi
expect "the reason is named" grep -q 'regular file' "$LAB_DIR/log/reload.log"
reload_by_signal
if penstock backend weight web4 "$(lab_backend4 1):8080" 7 --save 2>"$LAB_DIR/log/save.log"; then
  refute "a change was saved into a FIFO"
fi
expect "all goes on" serves
expect "it is still a FIFO" test -p "$(config_file)"
mv "$LAB_DIR/real.toml" "$(config_file)"
if penstock reload 2>"$LAB_DIR/log/certificate.log"; then refute "a FIFO was taken for a certificate"; fi
expect "the certificate's file is named" grep -q 'ca.pem: it is not a regular file' "$LAB_DIR/log/certificate.log"
expect "penstockd still answers" serves
