# shellcheck shell=bash
# The parts of one development copy: where its files are, how each part is configured, started,
# checked and stopped. Sourced after lib.sh and postgres.sh.
# shellcheck disable=SC2034,SC2153,SC2154 # variables of the copy's own files, and for those who source this

synapse_version=1.163.2
psycopg2_version=2.9.13
server_name=nova.test

# use_copy NAME: sets the paths of a copy; the empty name is the default one.
use_copy() {
  local name=$1 key
  [[ $name =~ ^[A-Za-z0-9_-]*$ ]] || die "a name has only letters, digits, - and _: $name"
  copy=$name
  state=$repo/synapse-dev/state${name:+/copies/$name}
  logs=$state/logs
  run=$state/run
  mkdir -p "$state" "$logs" "$run" "$cache"
  key=$(printf '%s' "$state" | sha256sum | cut -c1-12)
  # Under /tmp because the path of a unix socket must be shorter than 108 bytes.
  sockets=/tmp/nova-dev-$key
  pg_home=$state
  # A clone in root's home, say, is out of reach for the user that runs Postgres.
  if id -u postgres >/dev/null 2>&1 && ! as_pg test -x "$state"; then pg_home=/var/tmp/nova-dev-$key; fi
}

name_option() { printf '%s' "${copy:+ --name $copy}"; }

# ---- the copy's own files ----------------------------------------------------------------------

random() { openssl rand -hex "$1"; }

# Secrets are made once per copy, ports are kept as long as nobody else has taken them.
make_secrets() {
  if [ ! -s "$state/secrets" ]; then
    (
      umask 077
      printf '%s=%s\n' DB_PASSWORD "$(random 16)" REGISTRATION_SHARED_SECRET "$(random 16)" \
        TURN_SECRET "$(random 16)" ADMIN_TOKEN "$(random 24)" MACAROON_SECRET "$(random 16)" FORM_SECRET "$(random 16)" >"$state/secrets.new"
      mv "$state/secrets.new" "$state/secrets"
    )
  fi
  if [ ! -s "$state/jwt.pem" ] || [ ! -s "$state/jwt.pub.pem" ]; then
    (umask 077 && openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$state/jwt.pem")
    openssl pkey -in "$state/jwt.pem" -pubout -out "$state/jwt.pub.pem"
  fi
}

choose_ports() {
  local saved names=(POSTGRES_PORT SYNAPSE_PORT NOVA_PORT APPSERVICE_PORT ADMIN_PORT METRICS_PORT TURN_PORT) chosen
  if anything_runs; then return 0; fi
  if [ -s "$state/ports" ]; then
    mapfile -t saved < <(cut -d= -f2 "$state/ports")
    if [ "${#saved[@]}" = "${#names[@]}" ] && "$PYTHON" "$repo/synapse-dev/helper.py" free "${saved[@]}"; then return 0; fi
  fi
  chosen=$("$PYTHON" "$repo/synapse-dev/helper.py" ports "${#names[@]}")
  read -r -a saved <<<"$chosen"
  local i
  for i in "${!names[@]}"; do printf '%s=%s\n' "${names[$i]}" "${saved[$i]}"; done >"$state/ports"
}

load_copy() {
  # shellcheck disable=SC1091
  source "$state/secrets"
  # shellcheck disable=SC1091
  source "$state/ports"
  homeserver_url=http://127.0.0.1:$SYNAPSE_PORT
  bridge_url=http://127.0.0.1:$NOVA_PORT
  appservice_url=http://127.0.0.1:$APPSERVICE_PORT
  admin_url=http://127.0.0.1:$ADMIN_PORT
  metrics_url=http://127.0.0.1:$METRICS_PORT
  database_url=postgres://nova:$DB_PASSWORD@127.0.0.1:$POSTGRES_PORT/nova
}

exists() { [ -s "$state/ports" ] && [ -s "$state/secrets" ]; }

# ---- Synapse's virtual environment, shared by all copies -----------------------------------------

venv_whole() { [ -e "$cache/venv/.has-$synapse_version-$psycopg2_version" ]; }

make_venv() {
  (
    flock 8
    if ! venv_whole; then
      "$PYTHON" -m venv --clear "$cache/venv"
      "$cache/venv/bin/pip" install --disable-pip-version-check --prefer-binary \
        "matrix-synapse==$synapse_version" "psycopg2-binary==$psycopg2_version"
      touch "$cache/venv/.has-$synapse_version-$psycopg2_version"
    fi
  ) 8>"$cache/venv.lock"
}

# ---- Postgres ----------------------------------------------------------------------------------

pg_data() { printf '%s/postgres' "$pg_home"; }
postgres_runs() { [ -e "$(pg_data)/postmaster.pid" ] && pg_running "$(pg_data)" >/dev/null; }
postgres_healthy() { "$(pg_bin)/pg_isready" --quiet --host=127.0.0.1 --port="$POSTGRES_PORT"; }

start_postgres() {
  local log=$logs/postgres.log
  if postgres_runs; then return 0; fi
  if [ "$pg_home" != "$state" ]; then
    pg_directory "$pg_home"
    log=$pg_home/postgres.log
  fi
  pg_directory "$sockets"
  pg_init "$(pg_data)"
  pg_start "$(pg_data)" "$sockets" "$log" "-c listen_addresses=127.0.0.1 -c port=$POSTGRES_PORT"
}

stop_postgres() {
  if pg_bin >/dev/null; then pg_stop "$(pg_data)"; fi
}

kill_postgres() {
  local pid
  pid=$(pg_running "$(pg_data)") || return 0
  kill -KILL "$pid"
  while [ -e "/proc/$pid" ]; do sleep 0.05; done
}

sql() { "$(pg_bin)/psql" --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --host="$sockets" --port="$POSTGRES_PORT" --username=postgres --dbname=postgres "$@"; }

# make_database NAME OPTIONS: a role and a database of that name, made when missing.
make_database() {
  if [ -z "$(sql -At -c "SELECT 1 FROM pg_roles WHERE rolname = '$1'")" ]; then sql -c "CREATE ROLE $1 LOGIN"; fi
  sql -c "ALTER ROLE $1 PASSWORD '$DB_PASSWORD'"
  if [ -z "$(sql -At -c "SELECT 1 FROM pg_database WHERE datname = '$1'")" ]; then
    sql -c "CREATE DATABASE $1 OWNER $1 TEMPLATE template0 ENCODING 'UTF8' $2"
  fi
}

make_databases() {
  make_database nova ''
  # Synapse insists on this collation.
  make_database synapse "LC_COLLATE 'C' LC_CTYPE 'C'"
}

# ---- Synapse -----------------------------------------------------------------------------------

synapse_healthy() { http_ok "$homeserver_url/health"; }

write_synapse_config() {
  (
    umask 077
    cat >"$state/homeserver.yaml" <<YAML
# Written by synapse-dev/up at every start. For development only.
server_name: $server_name
public_baseurl: $homeserver_url/
pid_file: $run/synapse-own.pid
signing_key_path: "$state/signing.key"
log_config: "$state/synapse-log.yaml"
media_store_path: "$state/media"
listeners:
  - port: $SYNAPSE_PORT
    type: http
    bind_addresses: [127.0.0.1]
    resources: [{names: [client], compress: false}]
database:
  name: psycopg2
  args:
    {user: synapse, password: $DB_PASSWORD, dbname: synapse, host: 127.0.0.1, port: $POSTGRES_PORT, cp_min: 2, cp_max: 10}
app_service_config_files: ["$state/registration.yaml"]
registration_shared_secret: $REGISTRATION_SHARED_SECRET
macaroon_secret_key: $MACAROON_SECRET
form_secret: $FORM_SECRET
report_stats: false
enable_registration: false
allow_guest_access: false
url_preview_enabled: false
presence: {enabled: true}
user_directory: {enabled: true, search_all_users: true}
max_upload_size: 100M
caches: {global_factor: 0.5}
# A server by itself: nobody to federate with, no keys to fetch.
federation_domain_whitelist: []
trusted_key_servers: []
# No limit that a test or a person could run into.
rc_message: &free {per_second: 100000, burst_count: 100000}
rc_registration: *free
rc_registration_token_validity: *free
rc_login: {address: *free, account: *free, failed_attempts: *free}
rc_admin_redaction: *free
rc_joins: {local: *free, remote: *free}
rc_joins_per_room: *free
rc_3pid_validation: *free
rc_invites: {per_room: *free, per_user: *free, per_issuer: *free}
rc_third_party_invite: *free
rc_media_create: *free
rc_presence: {per_user: *free}
rc_key_requests: *free
rc_delayed_event_mgmt: *free
rc_room_creation: *free
rc_reports: *free
rc_user_directory: *free
rc_profile: *free
YAML
    if [ "$with_turn" = yes ]; then
      cat >>"$state/homeserver.yaml" <<YAML
turn_uris: ["turn:127.0.0.1:$TURN_PORT?transport=udp", "turn:127.0.0.1:$TURN_PORT?transport=tcp"]
turn_shared_secret: $TURN_SECRET
turn_user_lifetime: 1h
YAML
    fi
    cat >"$state/synapse-log.yaml" <<'YAML'
version: 1
formatters: {line: {format: '%(asctime)s %(levelname)s %(name)s %(request)s %(message)s'}}
handlers: {stderr: {class: logging.StreamHandler, formatter: line}}
root: {level: INFO, handlers: [stderr]}
loggers: {synapse.storage.SQL: {level: WARNING}}
disable_existing_loggers: false
YAML
  )
}

start_synapse() {
  if ! gone "$run/synapse.pid"; then return 0; fi
  local python=$cache/venv/bin/python
  [ -s "$state/signing.key" ] || "$python" -m synapse.app.homeserver --config-path "$state/homeserver.yaml" --generate-keys
  spawn "$run/synapse.pid" "$logs/synapse.log" "$python" -m synapse.app.homeserver --config-path "$state/homeserver.yaml"
  wait_for synapse 120
}

# ---- TURN --------------------------------------------------------------------------------------

turn_healthy() { (: <"/dev/tcp/127.0.0.1/$TURN_PORT") 2>/dev/null; }

# Both sides of a call are on this machine, so it has to relay to where it is itself.
start_turn() {
  if ! gone "$run/turn.pid"; then return 0; fi
  spawn "$run/turn.pid" "$logs/turn.log" turnserver -n --listening-ip=127.0.0.1 --relay-ip=127.0.0.1 \
    --listening-port="$TURN_PORT" --realm="$server_name" --use-auth-secret --static-auth-secret="$TURN_SECRET" \
    --allow-loopback-peers --no-tls --no-dtls --no-cli --log-file=stdout --simple-log --pidfile="$run/turn-own.pid" \
    --userdb="$run/turn.db"
  wait_for turn 30
}

# ---- the bridge --------------------------------------------------------------------------------

bridge_healthy() { http_ok "$metrics_url/health/ready"; }

write_bridge_config() {
  (
    umask 077
    cat >"$state/config.yaml" <<YAML
# Written by synapse-dev/up at every start. For development only.
homeserver:
  url: $homeserver_url
  domain: $server_name
database:
  url: $database_url
appservice:
  listen: 127.0.0.1:$APPSERVICE_PORT
  url: $appservice_url
  registration_file: "$state/registration.yaml"
nova:
  listen: 127.0.0.1:$NOVA_PORT
  public_url: $bridge_url
  jwt_public_key_file: "$state/jwt.pub.pem"
  messages_per_second: 10000
  burst: 10000
rooms:
  presence: true
bot:
  permissions: { "*": user, "@admin:$server_name": admin }
admin:
  listen: 127.0.0.1:$ADMIN_PORT
  token: $ADMIN_TOKEN
metrics:
  listen: 127.0.0.1:$METRICS_PORT
logging:
  level: ${NOVA_DEV_LOG_LEVEL:-info,nova_bridge=debug}
  format: text
YAML
  )
}

# bridge COMMAND...: the binary that `up` chose, with the copy's configuration.
bridge() { "$(cat "$state/bridge-binary")" --config "$state/config.yaml" "$@"; }

# Made anew only when it does not fit any more, because a running Synapse keeps the one it has read.
make_registration() {
  if [ -s "$state/registration.yaml" ] && grep -qF "$appservice_url" "$state/registration.yaml"; then return 0; fi
  bridge generate-registration --output "$state/registration.yaml" --force
  [ -s "$state/registration.yaml" ] || { say "nova-bridge generate-registration wrote nothing" && return 1; }
}

registration_token() { sed -nE "s/^$1: *[\"']?([^\"' ]+)[\"']?.*/\1/p" "$state/registration.yaml"; }

# What a test wants otherwise stands in bridge.env, for as long as the data are there.
start_bridge() {
  if ! gone "$run/bridge.pid"; then return 0; fi
  local settings=()
  if [ -s "$state/bridge.env" ]; then mapfile -t settings <"$state/bridge.env"; fi
  spawn "$run/bridge.pid" "$logs/bridge.log" env "${settings[@]}" "$(cat "$state/bridge-binary")" --config "$state/config.yaml" run
  wait_for bridge 60
}

# ---- all of them -------------------------------------------------------------------------------

ended_or_healthy() { gone "$run/$1.pid" || "$1_healthy"; }

# wait_for PART SECONDS: until it is healthy; fails at once when its process ends.
wait_for() {
  local part=$1
  if ! until_true "$2" ended_or_healthy "$part" || gone "$run/$part.pid"; then
    say "$part is not there; the end of $logs/$part.log:"
    tail -n 20 "$logs/$part.log"
    return 1
  fi
}

part_runs() {
  if [ "$1" = postgres ]; then postgres_runs; else ! gone "$run/$1.pid"; fi
}

anything_runs() { part_runs bridge || part_runs synapse || part_runs turn || part_runs postgres; }
everything_healthy() { exists && part_runs bridge && part_runs synapse && postgres_runs && postgres_healthy && synapse_healthy && bridge_healthy; }

# stop_part PART: Synapse gets long, because it waits for its open connections.
stop_part() {
  case $1 in
    postgres) stop_postgres ;;
    *) stop_process "$run/$1.pid" 20 ;;
  esac
}

stop_all() {
  stop_part bridge
  stop_part synapse
  stop_part turn
  stop_part postgres
  rm -rf "$sockets"
}
