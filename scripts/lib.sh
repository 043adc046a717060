# shellcheck shell=bash
# What every script here shares: progress lines with the elapsed time, clear failures, and the
# question whether packages may be installed. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${RECONCILE_CACHE:-$ROOT/.cache}
PROGRAM=$(basename "$0")

# Exit codes besides 0 and 1, the same in every script.
# shellcheck disable=SC2034  # used by the scripts that source this file
readonly EX_USAGE=2 EX_MISSING=3

# show_help: prints the comment block at the top of the running script.
show_help() {
  awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$0"
}

# say TEXT...: one progress line on stderr, with the seconds since the script started.
say() {
  printf '%s: [%3ds] %s\n' "$PROGRAM" "$SECONDS" "$*" >&2
}

# fail CODE TEXT...: says why and ends the script.
fail() {
  local code=$1
  shift
  printf '%s: %s\n' "$PROGRAM" "$*" >&2
  exit "$code"
}

# usage_error ARGUMENT
usage_error() {
  fail "$EX_USAGE" "unknown argument: $1 (see $PROGRAM --help)"
}

have() {
  command -v "$1" >/dev/null 2>&1
}

# on_debian: Debian, Ubuntu or something derived from them.
on_debian() {
  have apt-get && grep -Eqi '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release 2>/dev/null
}

may_install() {
  [ "$(id -u)" -eq 0 ] && on_debian
}

# apt_install PACKAGE...: announces, then installs; only call it where may_install holds.
apt_install() {
  local log=$CACHE/apt.log
  mkdir -p "$CACHE"
  say "installing Debian packages: $* (apt-get install; log in ${log#"$ROOT"/})"
  DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null >"$log" 2>&1 ||
    say "apt-get update reported a problem; going on with the package lists at hand"
  if ! DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
    apt-get install -y -q --no-install-recommends "$@" </dev/null >>"$log" 2>&1; then
    tail -n 15 "$log" >&2
    fail 1 "apt-get could not install: $*"
  fi
}

# engine_answers: does the engine that the docker client is pointed at answer within 10 s?
engine_answers() {
  have docker && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# is_running PID NAME: is PID a live program of that name? A pid from before a reboot or a kill
# may belong to anyone now, or to a zombie that nobody has reaped.
is_running() {
  local name state
  [ -n "$1" ] && read -r _ name state _ 2>/dev/null <"/proc/$1/stat" &&
    [ "$name" = "($2)" ] && [ "$state" != Z ]
}

# started_at PID: the moment a process began, which with its pid names it for good.
started_at() {
  cut -d ' ' -f 22 "/proc/$1/stat" 2>/dev/null
}

# own_uv: prints the path of the uv in .cache/uv, and installs it there if need be.
own_uv() {
  local home=$CACHE/uv
  if [ ! -x "$home/bin/uv" ]; then
    say "uv is not on PATH; installing it into ${CACHE#"$ROOT"/}/uv"
    "$("$ROOT/scripts/find-python")" -m venv "$home" >&2 &&
      "$home/bin/python" -m pip install --quiet --quiet --disable-pip-version-check uv 2>/dev/null ||
      return 1
  fi
  echo "$home/bin/uv"
}
