# shellcheck shell=bash
# Connections that stand for as long as a scenario wants, with a netcat as the client. Sourced behind lib.sh.
#
# Each has a service of its own: NAME MODE FAMILY PORT, with the backend be1 at the same port.
TALKS=()

# talk NAME MODE FAMILY PORT
talk() {
  TALKS+=("$*")
}

write_config() {
  local name mode family port
  write_node
  for talk in "${TALKS[@]}"; do
    read -r name mode family port <<<"$talk"
    case $family in
    4) service "$name" "$VIP4" "$port" tcp "$mode" "$port" lab_backend4 100 ;;
    6) service "$name" "$VIP6" "$port" tcp "$mode" "$port" lab_backend6 100 ;;
    esac
  done
}

# talk_word NAME PLACE: the mode (2), the family (3) or the port (4).
talk_word() {
  printf '%s\n' "${TALKS[@]}" | awk -v name="$1" -v place="$2" '$1 == name { print $place }'
}

talk_vip() {
  if [[ $(talk_word "$1" 3) == 4 ]]; then echo "$VIP4"; else echo "$VIP6"; fi
}

# talk_begins NAME: each end sends the lines of `talk_says`, and logs what it receives. An end has finished when
# nothing holds its pipe open any more.
talk_begins() {
  local name=$1 side port
  port=$(talk_word "$name" 4)
  for side in client server; do
    rm -f "$LAB_DIR/$name.$side"
    mkfifo "$LAB_DIR/$name.$side"
    lab_start client "$name.$side.pipe" sh -c "exec sleep 3600 >'$LAB_DIR/$name.$side'"
  done
  lab_start be1 "$name.server" sh -c "exec python3 '$E2E/../lab/listen.py' $(talk_word "$name" 3) $port <'$LAB_DIR/$name.server'"
  wait_for 5 "the server of $name" lab_listens be1 "$port" || refute "the server of $name does not listen"
  lab_start client "$name.client" sh -c "exec nc -N $(talk_vip "$name") $port <'$LAB_DIR/$name.client'"
}

# talk_says NAME SIDE LINE
talk_says() {
  echo "$3" >"$LAB_DIR/$1.$2"
}

# talk_finishes NAME SIDE: it shuts its direction down, and goes on receiving.
talk_finishes() {
  lab_stop "$1.$2.pipe"
}

# talk_received NAME SIDE LINE
talk_received() {
  grep -q "^$3\$" "$LAB_DIR/log/$1.$2.log"
}

# talk_gets NAME SIDE LINE: what the other side has sent arrives within three seconds.
talk_gets() {
  wait_for 3 "$1: the $2 to get $3" talk_received "$1" "$2" "$3" || refute "$1: the $2 does not get $3"
}

# talk_carries NAME WORD: in both directions.
talk_carries() {
  talk_says "$1" client "$2-of-client"
  talk_gets "$1" server "$2-of-client"
  talk_says "$1" server "$2-of-server"
  talk_gets "$1" client "$2-of-server"
}

# talk_flow NAME FILTER: of its flow, by jq.
talk_flow() {
  penstock --json flows --service "$1" | jq -er ".[0] | $2"
}

talk_state_is() {
  [[ $(talk_flow "$1" .state) == "$2" ]]
}

talk_has_no_flow() {
  [[ $(penstock --json flows --service "$1" | jq length) == 0 ]]
}

# talk_is_over NAME: its processes have ended.
talk_is_over() {
  lab_gone "$1.client" && lab_gone "$1.server"
}
