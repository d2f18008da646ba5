# shellcheck shell=bash
# The demo accounts, the file `env`, and what `up` prints. Sourced after parts.sh.
# shellcheck disable=SC2153,SC2154 # the variables in capitals come from the copy's own files

nova_user_1_id=a11a0000-0000-4000-8000-000000000001
nova_user_1_name=nova-ana
nova_user_2_id=b0b00000-0000-4000-8000-000000000002
nova_user_2_name=nova-ben
# The server listens on this machine only, so a password that is easy to type will do.
demo_password=nova-demo

make_accounts() {
  matrix_account elena Elena
  matrix_account marek Marek
  matrix_account admin Admin --admin
  bridge accounts put "$nova_user_1_id" --username "$nova_user_1_name" --display-name "Ana (Nova)"
  bridge accounts put "$nova_user_2_id" --username "$nova_user_2_name" --display-name "Ben (Nova)"
}

matrix_account() {
  local user=$1 shown=$2
  shift 2
  "$PYTHON" "$repo/synapse-dev/helper.py" register "$homeserver_url" "$REGISTRATION_SHARED_SECRET" "$user" "$demo_password" "$shown" "$@"
}

nova_token() { bridge token --user "$1" --username "$2" --private-key-file "$state/jwt.pem" --ttl-hours 720; }

# Plain KEY=VALUE: a shell can source it, and anything else can split it at the first `=`.
write_env() {
  local token_1 token_2
  token_1=$(nova_token "$nova_user_1_id" "$nova_user_1_name")
  token_2=$(nova_token "$nova_user_2_id" "$nova_user_2_name")
  (
    umask 077
    cat >"$state/env.new" <<ENV
HOMESERVER_URL=$homeserver_url
SERVER_NAME=$server_name
BRIDGE_URL=$bridge_url
APPSERVICE_URL=$appservice_url
ADMIN_URL=$admin_url
ADMIN_TOKEN=$ADMIN_TOKEN
METRICS_URL=$metrics_url
AS_TOKEN=$(registration_token as_token)
HS_TOKEN=$(registration_token hs_token)
DATABASE_URL=$database_url
REGISTRATION_SHARED_SECRET=$REGISTRATION_SHARED_SECRET
JWT_PRIVATE_KEY_FILE=$state/jwt.pem
NOVA_USER_1_ID=$nova_user_1_id
NOVA_USER_1_NAME=$nova_user_1_name
NOVA_USER_1_TOKEN=$token_1
NOVA_USER_2_ID=$nova_user_2_id
NOVA_USER_2_NAME=$nova_user_2_name
NOVA_USER_2_TOKEN=$token_2
MATRIX_USER_1_ID=@elena:$server_name
MATRIX_USER_1_PASSWORD=$demo_password
MATRIX_USER_2_ID=@marek:$server_name
MATRIX_USER_2_PASSWORD=$demo_password
MATRIX_ADMIN_ID=@admin:$server_name
MATRIX_ADMIN_PASSWORD=$demo_password
BRIDGE_BINARY=$(cat "$state/bridge-binary")
BRIDGE_CONFIG=$state/config.yaml
COPY_NAME=$copy
LOG_DIR=$logs
ENV
    mv "$state/env.new" "$state/env"
  )
}

from_env() { sed -n "s/^$1=//p" "$state/env"; }

print_summary() {
  cat <<TEXT

  Nova        Ana   $bridge_url/#token=$(from_env NOVA_USER_1_TOKEN)
              Ben   $bridge_url/#token=$(from_env NOVA_USER_2_TOKEN)

  Element     homeserver   $homeserver_url
              logins       elena, marek (and admin), password $demo_password

  Try first   1. Open Ana's link in a browser and start a chat with @elena:$server_name.
              2. In Element (any desktop or web one), choose the homeserver above, log in as
                 elena, accept Ana's invitation and answer her.
              3. The other way round: in Element start a chat with
                 @nova-$nova_user_2_id:$server_name, which is Ben, and open his link.

  For scripts $state/env
  Logs        $logs

TEXT
}
