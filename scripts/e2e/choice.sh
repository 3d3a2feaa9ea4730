# shellcheck shell=bash
# What the scenarios about choosing a backend share. Sourced after lib.sh.

# BACKEND4 N: how operators name backend N of web4.
backend4() {
  echo "$(lab_backend4 "$1"):8080"
}

# One figure of backend N of web4 out of `penstock services`.
figure() {
  penstock --json services |
    jq -r ".[] | select(.name == \"web4\") | .backends[] | select(.address == \"$(lab_backend4 "$1")\") | .$2"
}

# no_flows N: backend N of web4 has none.
no_flows() {
  [[ $(figure "$1" active_flows) == 0 ]]
}

# share N BEFORE TOTAL: the per cent of TOTAL requests that backend N has had since it had BEFORE.
share() {
  echo $((($(lab_requests "$1") - $2) * 100 / $3))
}

# served_by [CURL OPTION...]: which backend answers a request to VIP4, by its access log.
# shellcheck disable=SC2120 # without options, too
served_by() {
  local counts=() n
  for ((n = 1; n <= BACKENDS; n++)); do counts[n]=$(lab_requests "$n"); done
  curl_ "$@" "$(url "$VIP4")/" >/dev/null || return
  for ((n = 1; n <= BACKENDS; n++)); do
    if (($(lab_requests "$n") > counts[n])); then
      echo "$n"
      return
    fi
  done
  return 1
}
