# shellcheck shell=bash
# A box that is set up on its console. Sourced by scripts/test-image.

readonly DIALOGUE_VIP=10.0.0.103

# reply QUESTION ANSWER: once box 3 has asked.
reply() {
  wait_for 900 "the question: $1" said 3 "$1" || return
  printf '%s\n' "$2" >&"$answers"
}

# One connection for all answers: what is not yet read when one ends is lost.
dialogue() {
  local answers
  mkfifo "$LAB_DIR/box3/answers"
  exec {answers}<>"$LAB_DIR/box3/answers"
  wait_for 10 "the console of box 3" test -S "$LAB_DIR/box3/console"
  # What the console says is in its log already, but has to be read: the machine waits for who does not.
  lab_start host answers socat "PIPE:$LAB_DIR/box3/answers!!OPEN:/dev/null,wronly" "UNIX-CONNECT:$LAB_DIR/box3/console"
  reply "Name of the box" lb3
  reply "Interface of management" ''
  reply "Its address with length" 10.9.0.13/24
  reply "Its gateway" "$MGMT"
  reply "A name server" none
  reply "Your ssh public key" "$(<"$LAB_DIR/key.pub")"
  reply "A virtual IP" "$DIALOGUE_VIP"
  reply "The interface that carries it" ''
  reply "The box's own address there" 10.0.0.23/24
  reply "An address that it speaks" 10.0.0.113
  reply "Backends as" "10.0.0.13:80 10.0.0.14:80"
  reply "Write this" ''
}

part_dialogue() {
  tell "box 3 is started without a seed, and asked on its console"
  machine_kill 1
  machine_kill 2
  machine_disk 3
  machine_start 3
  holds "the dialogue is held" dialogue
  holds "the box is reached by ssh with the key that was given" machine_up 3 1200
  holds "it is called as was said" test "$(box 3 cat /proc/sys/kernel/hostname)" = lb3
  holds "the virtual IP answers" wait_for 240 "the virtual IP" answers "$DIALOGUE_VIP" 1
  holds "both nginx answer" both_answer "$DIALOGUE_VIP"
  machine_kill 3
}
