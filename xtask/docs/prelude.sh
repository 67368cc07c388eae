# Before the commands of a document. `expect` runs a command that prints an HTTP answer.
set -euo pipefail
expect() {
  local status=$1 code=$2 answer
  shift 2
  answer=$("$@")
  if ! grep -q "^HTTP/1.1 $status" <<<"$answer" || { [ "$code" != - ] && ! grep -q "\"$code\"" <<<"$answer"; }; then
    printf 'expected %s %s of %s, got:\n%s\n' "$status" "$code" "$*" "$answer" >&2
    exit 1
  fi
}
