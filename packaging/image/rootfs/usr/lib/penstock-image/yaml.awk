# Reads the part of YAML that seeds are written in, and prints a line for each value: PATH, a tab, VALUE. A path is of
# keys and numbers: write_files.0.content. Maps, lists, plain and quoted words, [lists, of, words] and blocks (|).
# In a value, \n is an end of a line and \\ a backslash. What else there is in YAML is refused with its line.

function fail(what) {
  printf "line %d: %s: %s\n", NR, what, $0 >"/dev/stderr"
  failed = 1
  exit 1
}

function path(  i, text) {
  for (i = 1; i <= depth; i++) text = text (i > 1 ? "." : "") (is_list[i] ? count[i] : key[i])
  return text
}

function emit(at, value) {
  gsub(/\\/, "\\\\\\\\", value)
  gsub(/\n/, "\\n", value)
  print at "\t" value
}

function word(text) {
  if (text ~ /^"/) {
    if (text !~ /^"[^"\\]*"[ ]*(#.*)?$/) fail("a quoted word that is not understood")
    sub(/^"/, "", text); sub(/".*/, "", text)
  } else if (text ~ /^'/) {
    if (text !~ /^'[^']*'[ ]*(#.*)?$/) fail("a quoted word that is not understood")
    sub(/^'/, "", text); sub(/'.*/, "", text)
  } else {
    sub(/[ ]+#.*/, "", text); sub(/[ ]+$/, "", text)
    if (text ~ /^[{&*!>|%@`]/) fail("not understood")
  }
  return text
}

function words(text,  n, i, part) {
  sub(/\][ ]*(#.*)?$/, "", text)
  n = split(substr(text, 2), part, /,[ ]*/)
  for (i = 1; i <= n; i++) {
    gsub(/^[ ]+|[ ]+$/, "", part[i])
    if (part[i] != "") emit(path() "." (i - 1), word(part[i]))
  }
}

function end_block() {
  if (keep == "") sub(/\n+$/, "\n", block)
  if (keep == "-") sub(/\n+$/, "", block)
  emit(block_path, block)
  in_block = 0
}

# A list is half a step deeper than its marks, so that it may stand below its key without being indented.
function leave(level) {
  while (depth > 0 && level_of[depth] >= level) depth--
}

{ sub(/\r$/, "") }

in_block {
  match($0, /^ */)
  if ($0 ~ /^ *$/) { block = block "\n"; next }
  if (block_level < 0 && RLENGTH > block_above) block_level = RLENGTH
  if (block_level >= 0 && RLENGTH >= block_level) { block = block substr($0, block_level + 1) "\n"; next }
  end_block()
}

/^[ ]*(#.*)?$/ || /^---/ { next }

{
  if ($0 ~ /^ *\t/) fail("a tab")
  match($0, /^ */)
  level = RLENGTH
  text = substr($0, level + 1)
  while (text ~ /^-( |$)/) {
    leave(level + 0.75)
    if (depth > 0 && is_list[depth] && level_of[depth] == level + 0.5) count[depth]++
    else { depth++; is_list[depth] = 1; level_of[depth] = level + 0.5; count[depth] = 0 }
    match(text, /^-[ ]*/)
    level += RLENGTH
    text = substr(text, RLENGTH + 1)
  }
  if (text == "") next
  if (match(text, /^["']?[A-Za-z0-9_.:\/-]*[A-Za-z0-9_\/-]["']?:( |$)/)) {
    leave(level)
    depth++
    is_list[depth] = 0
    level_of[depth] = level
    key[depth] = substr(text, 1, RLENGTH)
    sub(/["']?: *$/, "", key[depth]); sub(/^["']/, "", key[depth])
    text = substr(text, RLENGTH + 1)
    sub(/^[ ]+/, "", text)
  }
  if (text ~ /^\|[-+]?[ ]*$/) {
    in_block = 1; block = ""; block_path = path(); block_above = level; block_level = -1
    keep = text ~ /-/ ? "-" : text ~ /\+/ ? "+" : ""
  } else if (text ~ /^\[.*\][ ]*(#.*)?$/) words(text)
  else if (text != "" && text !~ /^#/) emit(path(), word(text))
}

END { if (in_block && !failed) end_block() }
