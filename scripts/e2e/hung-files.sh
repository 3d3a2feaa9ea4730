#!/usr/bin/env bash
# sentence: files that nothing can be read from (a FIFO, a file system that hangs: as the configuration, as what VRRP tracks, as a certificate, as a script) stop neither the management thread nor the checks
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../lab/ca.sh
. "$E2E/../lab/ca.sh"

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

# hold NAME FILE...: until lab_stop NAME, whoever opens one of these files waits.
hold() {
  lab_start box "$1" python3 "$E2E/../lab/hold-files.py" "${@:2}"
  wait_for 5 "$1 to be held" grep -q held "$LAB_DIR/log/$1.log" || refute "$1 is not held"
}

results6() {
  penstock --json services | jq '.[] | select(.name == "web6") | [.backends[].checks[0].results] | add'
}

# What a management thread that has hung for five seconds is not.
no_stall() {
  expect "the box is still master" is_master master
  expect "penstockd still answers" serves
  penstock --json events | jq -e 'map(select(.kind == "supervisor.stalled")) | length == 0' >/dev/null ||
    refute "the management thread has hung"
}

was_told() {
  grep -q "^SERVICE iperf6 $1\$" "$LAB_DIR/told"
}

begin router
web_servers
configure 100 100 100
vrrp_alone
mkfifo "$LAB_DIR/tracked" "$LAB_DIR/ca.pem"
echo up >"$LAB_DIR/iperf6"
printf '#!/bin/sh\necho "$*" >>%s\n' "$LAB_DIR/told" >"$LAB_DIR/notify.sh"
chmod 755 "$LAB_DIR/notify.sh"
echo "track = [{ file = \"$LAB_DIR/tracked\", interval = \"100ms\", weight = -10 }]" >>"$(config_file)"
sed -i "s|^name = \"iperf4\"\$|&\nhealth = { check = \"https\", ca = \"$LAB_DIR/ca.pem\", interval = \"200ms\", timeout = \"1s\" }|
        s|^name = \"iperf6\"\$|&\nnotify = \"$LAB_DIR/notify.sh\"\nhealth = { check = \"file\", path = \"$LAB_DIR/iperf6\", interval = \"100ms\", rise = 1, fall = 1 }|
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

say "a certificate on a file system that hangs"
lab_ca
mv "$LAB_DIR/tls/ca.pem" "$LAB_DIR/ca.pem"
expect "with a certificate the reload is accepted" penstock reload
hold certificate "$LAB_DIR/ca.pem"
results=$(results6)
for verb in "plan $(config_file)" "apply $(config_file)" reload; do
  # shellcheck disable=SC2086 # several words
  if penstock $verb 2>"$LAB_DIR/log/held.log"; then refute "'$verb' was accepted"; fi
  expect "it is refused with its reason: $(<"$LAB_DIR/log/held.log")" grep -q 'disk or server hangs' "$LAB_DIR/log/held.log"
done
no_stall
(($(results6) > results + 5)) || refute "the checks have stopped: $results results, then $(results6)"

say "the thread of the checks reads it after a rollback"
lab_stop certificate
sed -i 's|^weight = 100|weight = 99|' "$(config_file)"
expect "it is accepted again" penstock reload
hold certificate "$LAB_DIR/ca.pem"
results=$(results6)
expect "a rollback does not wait for files" penstock rollback
sleep 6
no_stall
(($(results6) > results + 5)) || refute "the checks have stopped: $results results, then $(results6)"
lab_stop certificate

say "a script that is to be called, on a file system that hangs"
hold script "$LAB_DIR/notify.sh"
echo down >"$LAB_DIR/iperf6"
sleep 6
no_stall
if [[ -e $LAB_DIR/told ]] && was_told DOWN; then refute "the script was not held"; fi
lab_stop script
wait_for 5 "the script to be called" was_told DOWN || refute "the script is not called any more"
