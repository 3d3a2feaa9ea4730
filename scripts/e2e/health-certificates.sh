#!/usr/bin/env bash
# sentence: https checks take every kind of certificate and key without verification, a server's own certificate as ca, and explain each one that they refuse; the same of STARTTLS and of client certificates
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=health.sh
. "$E2E/health.sh"
# shellcheck source-path=SCRIPTDIR source=../lab/ca.sh
. "$E2E/../lab/ca.sh"

readonly NAME=web.lab.example
# What each row is: a name, the port of its server, the keys of its check, the state and the result that are to be.
names=() keys=() states=() results=()
port=4400

# key FILE WORDS: tls/FILE.key, by words of openssl; and of every such key a self-signed certificate.
key() {
  local file=$LAB_DIR/tls/$1
  shift
  openssl "$1" -out "$file.key" "${@:2}" 2>/dev/null
}

# own FILE [WORDS]: tls/FILE.pem, self-signed with the key of that name, with both names.
own() {
  local file=$LAB_DIR/tls/$1
  shift
  openssl req -x509 -days 30 -subj "/CN=$NAME" -key "$file.key" -out "$file.pem" \
    -addext "subjectAltName=DNS:$NAME,IP:$(lab_backend4 2)" "$@" 2>/dev/null
}

# row NAME CERTIFICATE "WORDS OF s_server" KEYS STATE RESULT: a server, and a check of it. Where there is no certificate, the
# server is the row's before.
row() {
  names+=("$1") keys+=("$4") states+=("$5") results+=("$6")
  if [[ -n $2 ]]; then
    port=$((port + 1))
    # shellcheck disable=SC2086 # words
    lab_start be2 "s_server$port" openssl s_server -www -accept "$port" -naccept 100000 -cert "$LAB_DIR/tls/$2.pem" \
      -key "$LAB_DIR/tls/${KEY:-$2}.key" -cipher ALL:@SECLEVEL=0 $3
  fi
  keys[-1]="port = $port, ${keys[-1]}"
}

write_rows() {
  local n
  write_node
  SERVICE_KEYS='' service web4 "$VIP4" 80 tcp router 8080 lab_backend4
  printf '[[service.backend]]\naddress = "%s"\nport = 8080\nhealth = [\n' "$(lab_backend4 2)"
  for ((n = 0; n < ${#names[@]}; n++)); do
    printf '  { check = "%s", interval = "500ms", timeout = "4s", rise = 1, fall = 1, warmup = "1s", %s },\n' \
      "${KIND:-https}" "${keys[n]}"
  done
  printf ']\n'
}

all_have_results() {
  [[ $(web4 '[.backends[0].checks[].results > 0] | all') == true ]]
}

# Every row is as it is to be.
hold() {
  local n=0 wrong=0 state said
  wait_for 20 "a result of each of the ${#names[@]} rows" all_have_results || say "not every row has a result"
  while IFS=$'\t' read -r state said; do
    if [[ $state == "${states[n]}" && $said =~ ${results[n]} ]]; then
      say "${names[n]}: $state, $said"
    else
      say "WRONG: ${names[n]}: $state, $said; wanted ${states[n]}, ${results[n]}"
      wrong=$((wrong + 1))
    fi
    n=$((n + 1))
  done < <(web4 '.backends[0].checks[] | [(if .up then "up" else "down" end), .last_result] | @tsv')
  ((n == ${#names[@]} && wrong == 0)) || refute "$wrong of ${#names[@]} rows are wrong, $n were seen"
}

begin router
lab_ca
say "keys and certificates"
for bits in 512 1024 2048 4096; do key "rsa$bits" genrsa "$bits"; done
# Several primes, for the time it takes.
key rsa8192 genrsa -primes 5 8192
key pss genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048
openssl dsaparam -genkey 1024 >"$LAB_DIR/tls/dsa.key" 2>/dev/null
for curve in prime256v1 secp384r1 secp521r1; do key "$curve" ecparam -name "$curve" -genkey -noout; done
for curve in ed25519 ed448; do key "$curve" genpkey -algorithm "$curve"; done
for file in rsa512 rsa1024 rsa2048 rsa4096 rsa8192 pss dsa prime256v1 secp384r1 secp521r1 ed25519 ed448; do own "$file"; done
for digest in md5 sha1; do
  cp "$LAB_DIR/tls/rsa2048.key" "$LAB_DIR/tls/$digest.key"
  own "$digest" "-$digest"
done
cp "$LAB_DIR/tls/rsa2048.key" "$LAB_DIR/tls/garbage.key"
for file in no-ca nameless v1; do cp "$LAB_DIR/tls/prime256v1.key" "$LAB_DIR/tls/$file.key"; done
own no-ca -addext basicConstraints=critical,CA:FALSE
openssl req -x509 -days 30 -subj "/CN=$NAME" -key "$LAB_DIR/tls/garbage.key" -out "$LAB_DIR/tls/garbage.pem" \
  -addext 'subjectAltName=DER:30:82:ff:ff:01'
openssl req -x509 -days 30 -subj "/CN=$NAME" -key "$LAB_DIR/tls/nameless.key" -out "$LAB_DIR/tls/nameless.pem"
openssl req -new -subj "/CN=$NAME" -key "$LAB_DIR/tls/v1.key" |
  openssl x509 -req -days 30 -signkey "$LAB_DIR/tls/v1.key" -out "$LAB_DIR/tls/v1.pem" 2>/dev/null
lab_certificate good "$NAME" -1 30
lab_certificate expired "$NAME" -10 -3
lab_certificate later "$NAME" 2 30
lab_certificate client probe -1 30

any='verify = false'
for version in tls1_2 tls1_3; do
  for file in rsa1024 rsa2048 rsa4096 rsa8192 prime256v1 secp384r1 secp521r1 ed25519 ed448 md5 sha1 garbage nameless v1 \
    no-ca expired later; do
    row "any, $file, $version" "$file" "-$version" "$any" up '^200 OK'
  done
done
row "any, rsa512" rsa512 "-tls1_2" "$any" up '^200 OK'
row "any, RSA-PSS" pss "-tls1_3" "$any" up '^200 OK'
row "any, RSA-PSS that TLS 1.2 alone would show" pss "-tls1_2" "$any" down 'a kind of key that checks do not take in TLS 1.2'
row "any, DSA" dsa "" "$any" down 'no cipher suite in common'
row "any, key exchange on P-521 alone" prime256v1 "-groups P-521" "$any" up '^200 OK'
row "old TLS" rsa2048 "-tls1_1" "$any" down '^the server offers only old versions of TLS: checks speak TLS 1.2 and 1.3$'
row "CBC" rsa2048 "-tls1_2 -cipher ECDHE-RSA-AES128-SHA256" "$any" down 'no cipher suite in common'
row "RSA key exchange" rsa2048 "-tls1_2 -cipher AES128-GCM-SHA256" "$any" down 'no cipher suite in common'

trust() {
  echo "ca = \"$LAB_DIR/tls/$1.pem\""
}

for version in tls1_2 tls1_3; do
  for file in rsa2048 rsa4096 rsa8192 prime256v1 secp384r1 secp521r1 ed25519 no-ca; do
    row "own, $file, $version" "$file" "-$version" "$(trust "$file"), sni = \"$NAME\"" up '^200 OK'
  done
  row "own, rsa1024, $version" rsa1024 "-$version" "$(trust rsa1024)" down '^certificate with an RSA key of 1024 bits, .*verify = false'
done
row "own, by address" "" "" "$(trust rsa1024)" down 'RSA key of 1024 bits'
row "own, by address" prime256v1 "" "$(trust prime256v1)" up '^200 OK'
row "own, another name" "" "" "$(trust prime256v1), sni = \"other.lab.example\"" down '^certificate of another name: wanted other.lab.example, it has web.lab.example'
row "own, but another is trusted" "" "" "$(trust no-ca)" down 'claims to be an authority.s [(]CA:TRUE[)]: put this very certificate into .ca.'
row "own, and nothing is trusted but the system's" "" "" 'sni = "web.lab.example"' down '^certificate|the system trusts no authority'
row "SHA-1, but trusted" sha1 "-tls1_2" "$(trust sha1), sni = \"$NAME\"" up '^200 OK'
row "Ed448" ed448 "" "$(trust ed448)" down '^certificate with an Ed448 key, .*verify = false'
row "no name" nameless "" "$(trust nameless), sni = \"$NAME\"" down '^certificate without subjectAltName: wanted web.lab.example'
row "version 1" v1 "" "$(trust v1), sni = \"$NAME\"" down '^certificate of X.509 version 1'
row "authority" good "" "$(trust ca), sni = \"$NAME\"" up '^200 OK'
row "itself, not the authority" "" "" "$(trust good), sni = \"$NAME\"" up '^200 OK'
row "unknown authority" "" "" "$(trust no-ca), sni = \"$NAME\"" down '^certificate of an unknown authority: put '
row "expired, though trusted" expired "" "$(trust expired), sni = \"$NAME\"" down '^certificate expired 3 days ago$'
row "not valid yet, though trusted" later "" "$(trust later), sni = \"$NAME\"" down '^certificate valid in [0-9]+ (day|hour)s?$'

say "what a check shows of itself"
openssl rsa -in "$LAB_DIR/tls/rsa2048.key" -traditional -out "$LAB_DIR/tls/rsa2048.pkcs1" 2>/dev/null
openssl pkey -in "$LAB_DIR/tls/prime256v1.key" -out "$LAB_DIR/tls/prime256v1.pkcs8"
# shows CERTIFICATE KEY
shows() {
  echo "$any, client_certificate = \"$LAB_DIR/tls/$1\", client_key = \"$LAB_DIR/tls/$2\""
}
for version in tls1_2 tls1_3; do
  wants="-$version -Verify 1 -verify_return_error -CAfile"
  row "shows PKCS#8, $version" prime256v1 "$wants $LAB_DIR/tls/ca.pem" "$(shows client.pem client.key)" up '^200 OK'
  row "shows nothing, $version" "" "" "$any" down 'client certificate'
  row "shows another one, $version" "" "" "$(shows rsa2048.pem rsa2048.key)" down 'refuses the client certificate, '
  row "shows PKCS#1, $version" prime256v1 "$wants $LAB_DIR/tls/rsa2048.pem" "$(shows rsa2048.pem rsa2048.pkcs1)" up '^200 OK'
  row "shows SEC1, $version" prime256v1 "$wants $LAB_DIR/tls/prime256v1.pem" "$(shows prime256v1.pem prime256v1.key)" up '^200 OK'
  row "shows PKCS#8, $version" "" "" "$(shows prime256v1.pem prime256v1.pkcs8)" up '^200 OK'
done
write_rows >"$(config_file)"
start_penstockd
hold

say "files that cannot be used are refused by a reload, and the checks go on"
openssl pkey -in "$LAB_DIR/tls/client.key" -aes128 -passout pass:secret -out "$LAB_DIR/tls/encrypted.key"
cp "$(config_file)" "$LAB_DIR/good.toml"
# refused KEYS WORDS
refused() {
  { write_node; SERVICE_KEYS="health = { check = \"https\", port = 4401, $1 }" service web4 "$VIP4" 80 tcp router 8080 lab_backend4 100; } \
    >"$(config_file)"
  if penstock reload >"$LAB_DIR/said" 2>&1; then refute "a reload with $1 is accepted"; fi
  expect "the reload names what is wrong: $(xargs -0 <"$LAB_DIR/said")" grep -Eq -- "$2" "$LAB_DIR/said"
  if penstock check "$(config_file)" >"$LAB_DIR/said" 2>&1; then
    # Another machine may have the file.
    expect "check warns of it" grep -Eq 'warning: .*cannot read' "$LAB_DIR/said"
  fi
}
refused "$(shows client.pem encrypted.key)" 'key .*/encrypted.key is encrypted'
refused "$(shows client.pem good.key)" 'certificate .*/client.pem is not for the key .*/good.key'
refused "$(trust client.key | sed s/.pem//)" '/client.key has no certificate'
refused 'ca = "/nowhere/ca.pem"' 'cannot read /nowhere/ca.pem: not found'
[[ $(web4 '.backends[0].checks | length') == "${#names[@]}" ]] || refute "a refused reload has changed the checks"
mv "$LAB_DIR/good.toml" "$(config_file)"
expect "the same again is accepted" penstock reload

say "STARTTLS"
names=() keys=() states=() results=()
# mail NAME CERTIFICATE KEYS STATE RESULT
mail() {
  if [[ -n $2 ]]; then
    port=$((port + 1))
    lab_start be2 "starttls$port" "$ROOT/scripts/lab/starttls.py" "$port" "$LAB_DIR/tls/$2.pem" "$LAB_DIR/tls/$2.key"
    wait_for 10 "the mail server" lab_listens be2 "$port"
  fi
  names+=("STARTTLS, $1") keys+=("port = $port, starttls = true, $3") states+=("$4") results+=("$5")
}
mail "own" prime256v1 "$(trust prime256v1), sni = \"$NAME\"" up '^greeted$'
mail "by address" "" "$(trust prime256v1)" up '^greeted$'
mail "unknown" "" "$(trust ca)" down 'claims to be an authority'
mail "any" "" "$any" up '^greeted$'
mail "any, Ed448" ed448 "$any" up '^greeted$'
mail "Ed448" "" "$(trust ed448)" down '^certificate with an Ed448 key'
KIND=smtp write_rows >"$(config_file)"
expect "the reload is accepted" penstock reload
hold
expect "penstockd still answers" daemon_lives
