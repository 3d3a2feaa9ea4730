#!/usr/bin/env bash
# sentence: sessions of BFD with BIRD and FRR come up over both families, agree on their timers, notice who is killed in tens of milliseconds, take who is down on purpose for no failure, and move backends and priorities
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=bfd-peers.sh
. "$E2E/bfd-peers.sh"

# configured INTERVAL [AUTH]: backend 1 is BIRD's, 2 FRR's, 3 BIRD's behind routers; the first moves a priority.
configured() {
  {
    write_node
    cat <<TOML
[[vrrp]]
name = "outside"
interface = "eth0"
vrid = 51
priority = 200
advert_interval = "100ms"
addresses = ["$VIP4"]
track = [{ bfd = "10.0.0.11", interval = "$1", auth = "${2:-$AUTH}", weight = -60 }]

[[service]]
name = "web"
address = "$VIP4"
port = 80
mode = "dsr"
health = { check = "bfd", interval = "$1" }
[[service.backend]]
address = "10.0.0.11"
health = { check = "bfd", interval = "$1", auth = "${2:-$AUTH}" }
[[service.backend]]
address = "10.0.0.12"
[[service.backend]]
address = "10.0.0.13"
health = { check = "bfd", interval = "$1", multihop = true }

[[service]]
name = "web6"
address = "$VIP6"
port = 80
mode = "dsr"
health = { check = "bfd", interval = "$1", auth = "${2:-$AUTH}" }
[[service.backend]]
address = "fd00::11"
TOML
  } >"$(config_file)"
}

# Of backend N; 6 is the first one over IPv6.
web() {
  if (($1 == 6)); then
    penstock --json services web6 | jq -r ".backends[0].$2"
  else
    penstock --json services web | jq -r ".backends[$(($1 - 1))].$2"
  fi
}

shows() {
  [[ $(web "$1" state) == "$2" && $(web "$1" last_result) =~ $3 ]]
}

# backend N STATE WORDS
backend() {
  wait_for 10 "backend $1 to be $2" shows "$@" ||
    refute "backend $1 is $(web "$1" state), '$(web "$1" last_result)', not $2, '$3'"
  say "backend $1 is $2: $(web "$1" last_result)"
}

priority_is() {
  [[ $(penstock --json vrrp | jq '.[0].effective_priority') == "$1" ]]
}

has_priority() {
  wait_for 5 "a priority of $1" priority_is "$1" || refute "the priority is not $1: $(penstock --json vrrp)"
}

begin dsr
readonly AUTH=meticulous-sha1:1:secret
readonly BOTH="neighbor $BOX4 dev \"eth0\"; neighbor $BOX6 dev \"eth0\""
configured 50ms
start_penstockd
for n in 1 2 3 6; do backend "$n" down '^no session after 5s$'; done
has_priority 140

say "up"
bird_start 1 50 "$BOTH" 'authentication meticulous keyed sha1; password "secret" { id 1; };'
bird_start 3 50 "neighbor $BOX4 local 10.0.0.13 multihop yes" ''
bfdd_start 2 50
for n in 1 2 3 6; do backend "$n" up '^session up$'; done
has_priority 200
bird_becomes 1 'Up +[^ ]+ +0\.050 +0\.150'
bfdd_becomes '.status == "up" and ."remote-transmit-interval" == 50 and ."remote-receive-interval" == 50'

say "other timers, on either side"
configured 200ms
expect "the reload is accepted" penstock reload
bird_becomes 1 'Up +[^ ]+ +0\.200 +0\.600'
bfdd_becomes '.status == "up" and ."remote-transmit-interval" == 200 and ."remote-receive-interval" == 200'
configured 20ms
expect "the reload is accepted" penstock reload
bird_becomes 1 'Up +[^ ]+ +0\.050 +0\.150'
bfdd_becomes '.status == "up" and ."remote-transmit-interval" == 20 and ."remote-receive-interval" == 20'
for n in 1 2 3; do expect "backend $n has not gone down" test "$(web "$n" 'history | map(select(.state == "down")) | length')" -le 1; done

say "killed"
lab_stop bird1 KILL
backend 1 down '^no packets for 150ms$'
backend 6 down '^no packets for 150ms$'
has_priority 140
lab_stop bfdd KILL
backend 2 down '^no packets for 150ms$'
lab_stop bird3 KILL
backend 3 down '^no packets for 150ms$'

say "and back; one key is wrong"
bird_start 1 50 "$BOTH" 'authentication meticulous keyed sha1; password "other" { id 1; };'
bird_start 3 50 "neighbor $BOX4 local 10.0.0.13 multihop yes" ''
bfdd_start 2 50
for n in 2 3; do backend "$n" up '^session up$'; done
expect "who has another key is refused, and told of" grep -q 'its key or password is another one' "$LAB_DIR/log/penstockd.log"
backend 1 down '^no packets for 150ms$'
lab_stop bird1 KILL
bird_start 1 50 "$BOTH" 'authentication meticulous keyed sha1; password "secret" { id 1; };'
backend 1 up '^session up$'

say "down on purpose"
bfdd_do 'shutdown'
backend 2 up '^peer says admin down$'
bfdd_do 'no shutdown'
backend 2 up '^session up$'

say "this side: killed, back, stopped"
lab_stop penstockd KILL
bfdd_becomes '.status == "down" and .diagnostic == "control detection time expired"'
bird_becomes 1 'Down'
start_penstockd
for n in 1 2 3 6; do backend "$n" up '^session up$'; done
lab_stop penstockd
bfdd_becomes '.status == "down" and .diagnostic == "neighbor signaled session down"'
