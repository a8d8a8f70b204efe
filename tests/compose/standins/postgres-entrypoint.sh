#!/bin/bash
# The habits of postgres:16's entrypoint that the compose file relies on.
set -euo pipefail
if [[ $1 != postgres ]]; then exec "$@"; fi
if ((EUID == 0)); then
    mkdir -p "$PGDATA"
    chown -R postgres:postgres "$PGDATA" /var/run/postgresql
    chmod 700 "$PGDATA"
    exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi
if [[ ! -s $PGDATA/PG_VERSION ]]; then
    if [[ -z ${POSTGRES_PASSWORD:-} ]]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    fi
    user=${POSTGRES_USER:-postgres}
    # shellcheck disable=SC2086 # several flags
    initdb -D "$PGDATA" -U "$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --locale=C.UTF-8 -E UTF8 \
        ${POSTGRES_INITDB_ARGS:-}
    printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    # As the image's own postgresql.conf.sample has it.
    cat >>"$PGDATA/postgresql.conf" <<'EOF'
listen_addresses = '*'
unix_socket_directories = '/var/run/postgresql'
EOF
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start
    if [[ ${POSTGRES_DB:-$user} != postgres ]]; then
        psql -v ON_ERROR_STOP=1 -U "$user" -d postgres -v name="${POSTGRES_DB:-$user}" <<<'CREATE DATABASE :"name";'
    fi
    for file in /docker-entrypoint-initdb.d/*.sql; do
        if [[ -f $file ]]; then psql -v ON_ERROR_STOP=1 -U "$user" -d "${POSTGRES_DB:-$user}" -f "$file"; fi
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    echo "PostgreSQL init process complete; ready for start up."
fi
exec "$@"
