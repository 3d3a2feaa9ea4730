# shellcheck shell=bash
# Others that speak BFD, on the backends of a lab. To be sourced after lib.sh.

readonly FRR=/usr/lib/frr

# bird_start N MILLISECONDS NEIGHBOUR AUTHENTICATION: on backend N.
bird_start() {
  cat >"$LAB_DIR/bird$1.conf" <<EOF
router id 10.0.0.1$1;
protocol device { }
protocol bfd {
  interface "*" { interval $2 ms; idle tx interval 1 s; multiplier 3; $4 };
  multihop { interval $2 ms; idle tx interval 1 s; multiplier 3; };
  $3;
}
EOF
  lab_start "be$1" "bird$1" bird -f -c "$LAB_DIR/bird$1.conf" -s "$LAB_DIR/run/bird$1.ctl" -P "$LAB_DIR/run/bird$1.pid"
  wait_for 10 "bird on backend $1" test -S "$LAB_DIR/run/bird$1.ctl" || refute "bird does not start"
}

bird_sessions() {
  birdc -s "$LAB_DIR/run/bird$1.ctl" show bfd sessions
}

bird_shows() {
  bird_sessions "$1" | grep -Eq "$2"
}

# bird_becomes N WORDS: in its list of sessions.
bird_becomes() {
  wait_for 10 "bird's session to be '$2'" bird_shows "$@" || refute "bird shows $(bird_sessions "$1")"
}

# bfdd_start N MILLISECONDS: FRR's, on backend N. Its daemons keep their sockets in a directory of the lab's own.
bfdd_start() {
  local run=$LAB_DIR/run/frr
  BFDD=$1
  mkdir -p "$run"
  rm -f "$run"/* # a socket of the last one would be taken for its own
  chmod 777 "$run"
  cat >"$LAB_DIR/bfdd.conf" <<EOF
bfd
 peer $BOX4 interface eth0
  detect-multiplier 3
  receive-interval $2
  transmit-interval $2
EOF
  chmod 644 "$LAB_DIR/bfdd.conf"
  lab_stop zebra KILL
  touch "$LAB_DIR/zebra.conf"
  lab_start "be$1" zebra "$FRR/zebra" -f "$LAB_DIR/zebra.conf" -i "$run/zebra.pid" -z "$run/zserv.api" \
    --vty_socket "$run" --log stdout
  wait_for 10 "zebra" test -S "$run/zserv.api" || refute "zebra does not start"
  lab_start "be$1" bfdd "$FRR/bfdd" -f "$LAB_DIR/bfdd.conf" -i "$run/bfdd.pid" -z "$run/zserv.api" \
    --vty_socket "$run" --bfdctl "$run/bfdd.sock" --log stdout
}

bfdd() {
  lab_in "be$BFDD" vtysh --vty_socket "$LAB_DIR/run/frr" -d bfdd "$@"
}

bfdd_shows() {
  bfdd -c 'show bfd peers json' 2>/dev/null | jq -e ".[0] | $1"
}

# bfdd_becomes FILTER: of its one peer.
bfdd_becomes() {
  wait_for 10 "bfdd to show $1" bfdd_shows "$1" || refute "bfdd shows $(bfdd -c 'show bfd peers json')"
}

# bfdd_do COMMAND: of its one peer.
bfdd_do() {
  bfdd -c 'configure terminal' -c bfd -c "peer $BOX4 interface eth0" -c "$1" >/dev/null
}
