# shellcheck shell=bash
# Power cuts while a box writes its configuration and its log. Sourced by scripts/test-image.
# shellcheck disable=SC2016,SC2154 # single quotes are for the shell of the box; test-image counts failures

# LOG_LOSS is the number of seconds of log that a cut may cost: five by SyncIntervalSec of the image's journald, and the time of a
# sync on an emulated disk beside other load, for which seven seconds have been measured.
readonly CUTS=${CUTS:-2} LOG_LOSS=20

# For a failed check of the journal: all that is needed to find out why.
readonly JOURNAL_STATE='date; cat /proc/uptime /proc/loadavg; df -k /state; systemctl --no-pager --lines=0 status systemd-journald systemd-journal-flush
  ls -l /var/log/journal/* /run/log/journal/*; journalctl --no-pager --list-boots; echo "list-boots: status $?"
  journalctl --verify; echo "verify: status $?"
  SYSTEMD_LOG_LEVEL=debug journalctl --boot --quiet --no-pager --lines=5; echo "boot: status $?"
  dmesg | grep -iE "journal|ext4|I/O error" | tail -n 20'

# On the box: a configuration and another in turns; a line of log each second, numbered, with the box's own time. The lines are
# printed as well: the last one that came is that of the cut.
readonly WRITER='(while true; do for f in one two; do penstock-image config "/state/$f.toml" && echo written; done; done) &
  for ((n = 1; ; n++)); do line="line $n $(date +%s)"; logger -t cut "$line" && echo "$line"; sleep 1; done'

part_cut() {
  local round boot
  configuration 1 auto >"$LAB_DIR/one.toml"
  { cat "$LAB_DIR/one.toml" && printf '\n# %0500d\n' 7; } >"$LAB_DIR/two.toml"
  for ((round = 1; round <= CUTS; round++)); do
    tell "power is cut while the box writes, round $round"
    box 1 'cat >/state/one.toml && sync' <"$LAB_DIR/one.toml"
    box 1 'cat >/state/two.toml && sync' <"$LAB_DIR/two.toml"
    boot=$(boot_id 1)
    box_begin 1 writer "$WRITER"
    holds "cut $round: configurations and log lines are written" wait_for 400 "them to be written" enough_written
    machine_kill 1
    lab_stop writer
    machine_start 1
    holds "cut $round: the box starts again" machine_up 1 900
    holds "cut $round: the configuration is one of those that were written, whole" is_whole /etc/penstock/penstock.toml
    holds "cut $round: the one before it is, too" is_whole /etc/penstock/penstock.toml.previous
    holds "cut $round: the virtual IP answers" serves 1
    journal_holds "cut $round: a line that is logged now can be read" logs_now "after cut $round"
    journal_holds "cut $round: this boot's journal is on the disk" box_soon 120 1 'test -s "/var/log/journal/$(cat /etc/machine-id)/system.journal" && ! compgen -G "/run/log/journal/*/*.journal"'
    journal_holds "cut $round: the log of the boot before can be read up to $LOG_LOSS seconds before the cut" logged_before "${boot//-/}"
    tell "$(tail -n 1 "$LAB_DIR/log/check.log")"
  done
}

# More than what may be lost, so that a journal that lost all does not pass.
enough_written() {
  (($(grep -c '^written' "$LAB_DIR/log/writer.log") >= 3 && $(grep -c '^line' "$LAB_DIR/log/writer.log") > 2 * LOG_LOSS))
}

is_whole() {
  box_soon 120 1 "cmp -s $1 /state/one.toml || cmp -s $1 /state/two.toml"
}

# journal_holds WHAT COMMAND...: as `holds`; a failure shows the journal's state.
journal_holds() {
  local before=$failed
  holds "$@"
  ((failed == before)) || shows box 1 "$JOURNAL_STATE"
}

# logs_now TEXT: through the journal and back.
logs_now() {
  box_soon 120 1 "logger -t after '$1' && journalctl --sync && found=\$(journalctl --boot --quiet --no-pager --identifier=after --output=cat) && echo \"\$found\" && grep -qx '$1' <<<\"\$found\""
}

# last_line FILE: number and time of the last line of the writer, if it is whole.
last_line() {
  grep -E '^line [0-9]+ [0-9]{10}$' "$1" | tail -n 1 | cut -d' ' -f2,3
}

# logged_before BOOT: compares the last line in that boot's journal with the last line that the writer printed.
logged_before() {
  local number time cut_number cut_time
  box_soon 120 1 "journalctl --boot=$1 --quiet --no-pager --identifier=cut --output=cat --lines=1" | tee "$LAB_DIR/log/kept.log"
  read -r cut_number cut_time < <(last_line "$LAB_DIR/log/writer.log") || { echo "the writer has printed no line" && return 1; }
  read -r number time < <(last_line "$LAB_DIR/log/kept.log") || { echo "no line of $cut_number is kept" && return 1; }
  printf 'line %d of %d is kept: %d seconds are lost, %d may be\n' "$number" "$cut_number" $((cut_time - time)) "$LOG_LOSS"
  ((cut_time - time <= LOG_LOSS))
}
