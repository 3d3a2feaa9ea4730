#!/usr/bin/env bash
# sentence: control sockets that a cleaner removes, alone or with their directory, are there again within seconds, with owner, group and mode as before, and connections go on
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

answers() {
  [[ -S $(control_socket) ]] && penstock status >/dev/null
}

view_answers() {
  lab_in box timeout 10 "$BIN/penstock" --socket "$LAB_DIR/run/view.sock" status >/dev/null
}

# comes_back WHAT: both sockets, as they were.
comes_back() {
  wait_for 5 "the control socket after $1" answers || refute "$1: the control socket does not come back"
  wait_for 5 "the other socket after $1" view_answers || refute "$1: the other socket does not come back"
  expect "$1: owner, group and mode are the same" test "$(standing)" = "$before"
}

standing() {
  stat --format '%n %U:%G %a' "$LAB_DIR/run" "$LAB_DIR/run/control.sock" "$LAB_DIR/run/view.sock"
}

history_is_written() {
  compgen -G "$LAB_DIR/state/history/*.json"
}

begin router
web_servers
configure 100 100 100
sed -i 's/^run_dir/state_dir = "STATE"\nrun_dir/; s|STATE|'"$LAB_DIR"'/state|' "$(config_file)"
start_penstockd
chmod 0751 "$LAB_DIR/run"
lab_stop penstockd
mkdir -p "$LAB_DIR/run"
chmod 0751 "$LAB_DIR/run"
start_penstockd
before=$(standing)
lab_start box follow "$BIN/penstock" --socket "$(control_socket)" events --follow
wait_for 5 "events" test -s "$LAB_DIR/log/follow.log" || refute "there are no events"

rm "$(control_socket)" "$LAB_DIR/run/view.sock"
comes_back "rm of the sockets"
rm -r "$LAB_DIR/run"
comes_back "rm -r of run_dir"
rm -r "$LAB_DIR/run"
touch "$LAB_DIR/run" # not a directory: nothing can be done
sleep 1.5
rm "$LAB_DIR/run"
comes_back "a file in the place of run_dir"

rm -r "$LAB_DIR/state"
sed -i 's/weight = 100/weight = 99/' "$(config_file)"
penstock reload >/dev/null
wait_for 5 "the history to be there again" history_is_written || refute "the history is not written"
expect "who follows events goes on" lab_alive follow
wait_for 5 "events of the time after" grep -q 'reload' "$LAB_DIR/log/follow.log" || refute "who follows events hears nothing more"
wait_for 10 "the VIP to answer" vip_answers "$VIP4" || refute "the VIP does not answer"
