#!/bin/sh
# Writes pgbouncer.ini and the user list from the environment into $1, at every start: what an existing volume
# holds never decides. The passwords stand in the user list alone, which only the owner can read; PgBouncer
# needs them in clear to log in to PostgreSQL by SCRAM.
set -eu
folder=$1

refuse() {
    echo "pgbouncer: $*" >&2
    exit 1
}

# number NAME VALUE MIN MAX
number() {
    case $2 in '' | *[!0-9]*) refuse "$1='$2' is not a number" ;; esac
    if [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then refuse "$1=$2 is out of range: $3 to $4"; fi
}

# name NAME VALUE: the ini file can quote neither.
name() {
    case $2 in '' | *[!A-Za-z0-9_.-]*) refuse "$1='$2': PgBouncer takes letters, digits and _ . - only" ;; esac
}

# Between double quotes of the user list.
quoted() { printf '"%s"' "$(printf '%s' "$1" | sed 's/"/""/g')"; }

pool_size=${PGBOUNCER_DEFAULT_POOL_SIZE:-25}
clients=${PGBOUNCER_MAX_CLIENT_CONN:-1000}
wait=${PGBOUNCER_QUERY_WAIT_TIMEOUT:-120}
auth=${PGBOUNCER_AUTH_TYPE:-scram-sha-256}
number PGBOUNCER_DEFAULT_POOL_SIZE "$pool_size" 25 50
number PGBOUNCER_MAX_CLIENT_CONN "$clients" 1 100000
number PGBOUNCER_QUERY_WAIT_TIMEOUT "$wait" 0 86400
case $auth in
    scram-sha-256 | md5) ;;
    *) refuse "PGBOUNCER_AUTH_TYPE='$auth' is neither scram-sha-256 nor md5" ;;
esac
[ -n "${POSTGRES_PASSWORD:-}" ] || refuse "POSTGRES_PASSWORD is not set"
database=${POSTGRES_DB:-hdms_db}
user=${POSTGRES_USER:-hdms}
name POSTGRES_DB "$database"
name POSTGRES_USER "$user"
name POSTGRES_HOST "${POSTGRES_HOST:-postgres}"

umask 077
cat >"$folder/userlist.txt.new" <<EOF
$(quoted "$user") $(quoted "$POSTGRES_PASSWORD")
EOF
cat >"$folder/pgbouncer.ini.new" <<EOF
; Written by generate.sh at every start, from the environment: changes made here are lost.
[databases]
$database = host=${POSTGRES_HOST:-postgres} port=${POSTGRES_PORT:-5432} dbname=$database

[pgbouncer]
listen_addr = ${PGBOUNCER_LISTEN:-0.0.0.0}
listen_port = ${PGBOUNCER_PORT:-6432}
unix_socket_dir =
auth_type = $auth
auth_file = $folder/userlist.txt
stats_users = $user
pool_mode = transaction
default_pool_size = $pool_size
max_client_conn = $clients
query_wait_timeout = $wait
; what drivers send at the start and a shared connection cannot keep
ignore_startup_parameters = extra_float_digits, options, statement_timeout, lock_timeout, search_path
; PostgreSQL back means service back: ask again each second, not after the default of fifteen
server_login_retry = 1
server_connect_timeout = 5
server_check_query = select 1
server_check_delay = 10
dns_max_ttl = 5
dns_nxdomain_ttl = 1
tcp_keepalive = 1
tcp_keepidle = 15
tcp_keepintvl = 5
tcp_keepcnt = 3
log_connections = 0
log_disconnections = 0
EOF
if [ -n "${PGBOUNCER_TLS_CERT:-}" ]; then
    cat >>"$folder/pgbouncer.ini.new" <<EOF
client_tls_sslmode = require
client_tls_cert_file = $PGBOUNCER_TLS_CERT
client_tls_key_file = ${PGBOUNCER_TLS_KEY:?PGBOUNCER_TLS_KEY is not set}
; read at the start though no client must show a certificate
client_tls_ca_file = ${PGBOUNCER_TLS_CA:?PGBOUNCER_TLS_CA is not set}
EOF
fi
if [ -n "${PGBOUNCER_SERVER_CA:-}" ]; then
    cat >>"$folder/pgbouncer.ini.new" <<EOF
server_tls_sslmode = verify-full
server_tls_ca_file = $PGBOUNCER_SERVER_CA
EOF
fi
mv -f "$folder/userlist.txt.new" "$folder/userlist.txt"
mv -f "$folder/pgbouncer.ini.new" "$folder/pgbouncer.ini"
