#!/usr/bin/env bash
# sentence: when the time of a drained backend is over, its connections are left, reset or moved as the service says
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=choice.sh
. "$(dirname "$0")/choice.sh"

readonly SLOW=10M

# Flows of former requests are no sign of it.
downloading() {
  [[ -s $LAB_DIR/download ]]
}

begin router
web_servers
configure 100 100 100
start_penstockd
wait_for 10 "the VIP to answer" vip_answers "$VIP4"
for fate in leave reset move; do
  SERVICE_KEYS="drain = { deadline = \"1s\", then = \"$fate\" }" configure 100 100 100
  reload_by_signal
  wait_for 5 "the new configuration" grep -q "web4: drain: .*then $fate" "$LAB_DIR/log/penstockd.log"
  for ((n = 1; n <= BACKENDS; n++)); do penstock backend enable web4 "$(backend4 "$n")" >/dev/null; done
  expect "the service is up" services_show '.[] | select(.name == "web4") | .up'
  rm -f "$LAB_DIR/download"
  lab_in client curl -sS --max-time 8 --limit-rate "$SLOW" -o "$LAB_DIR/download" "$(url "$VIP4")/200M" 2>"$LAB_DIR/log/curl-$fate.log" &
  download=$!
  wait_for 5 "the download to begin" downloading
  for ((n = 1; n <= BACKENDS; n++)); do penstock backend drain web4 "$(backend4 "$n")" >/dev/null; done
  status=0
  wait "$download" || status=$?
  say "$fate: curl ended with $status: $(tail -n 1 "$LAB_DIR/log/curl-$fate.log")"
  case $fate in
  leave)
    expect "it went on until its own limit" test "$status" = 28
    # Of 10 MB in each of eight seconds.
    expect "it got much after the deadline" test "$(stat -c %s "$LAB_DIR/download")" -gt 40000000
    ;;
  # Where addresses are translated a connection cannot move: it is reset, too.
  *) expect "it was reset" test "$status" = 56 ;;
  esac
done
