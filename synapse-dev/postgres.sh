# shellcheck shell=bash
# A private Postgres: its own data directory, nothing shared with a server of the machine. Postgres
# refuses to run as root, so for root everything here runs as the `postgres` user. Sourced after lib.sh.

# The newest installed server's programs; Debian keeps them out of PATH.
pg_bin() {
  local dir
  dir=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
  if [ -n "$dir" ] && [ -x "$dir/initdb" ]; then
    printf '%s\n' "$dir"
  elif command -v initdb >/dev/null; then
    dirname "$(readlink -f "$(command -v initdb)")"
  else
    return 1
  fi
}

pg_need() {
  pg_bin >/dev/null || install postgresql
}

as_pg() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && exec runuser -u postgres -- "$@")
  else
    "$@"
  fi
}

# pg_directory DIR: makes DIR, owned by whoever runs Postgres, closed to everybody else.
pg_directory() {
  mkdir -p "$1"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$1"; fi
  chmod 700 "$1"
}

# pg_init DATA: makes the cluster beside its place and moves it there when it is whole, so that an
# interrupted attempt leaves nothing that looks like a cluster. Its superuser is `postgres`.
pg_init() {
  local data=$1
  [ ! -s "$data/PG_VERSION" ] || return 0
  rm -rf "$data" "$data.new"
  pg_directory "$data.new"
  as_pg "$(pg_bin)/initdb" --pgdata="$data.new" --username=postgres --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=trust --auth-host=scram-sha-256 --no-sync
  mv "$data.new" "$data"
}

# pg_start DATA SOCKETS LOG [OPTION...]: starts the server and waits until it accepts connections.
# By default fsync is off: killing the server loses nothing all the same, only a power cut would.
pg_start() {
  local data=$1 sockets=$2 log=$3
  shift 3
  local options="-c unix_socket_directories='$sockets' -c max_connections=200 -c fsync=${NOVA_PG_FSYNC:-off} $*"
  touch "$log"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$log"; fi
  # After a SIGKILL the backends need a moment to notice, and until then the server refuses to start.
  local attempt
  for attempt in 1 2 3 4 5; do
    if as_pg "$(pg_bin)/pg_ctl" start --silent --wait --timeout=60 --pgdata="$data" --log="$log" \
      --options="$options" </dev/null 3>&- 4>&- 9>&-; then
      return 0
    fi
    [ "$attempt" = 5 ] || sleep 1
  done
  return 1
}

pg_stop() {
  local data=$1
  [ -s "$data/postmaster.pid" ] || return 0
  as_pg "$(pg_bin)/pg_ctl" stop --silent --wait --timeout=60 --mode=fast --pgdata="$data" 3>&- 4>&- 9>&-
}

# pg_running DATA: prints the server's pid.
pg_running() {
  as_pg "$(pg_bin)/pg_ctl" status --pgdata="$1" >/dev/null 2>&1 || return 1
  as_pg head -n 1 "$1/postmaster.pid"
}
