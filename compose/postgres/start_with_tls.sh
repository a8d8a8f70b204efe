#!/bin/sh
# PostgreSQL refuses a key that others can read: it gets a copy in memory that is its own.
set -eu
mkdir -p /run/tls
cp /tls/own/postgres.crt /tls/own/postgres.key /run/tls/
chown -R postgres:postgres /run/tls
chmod 600 /run/tls/postgres.key
exec docker-entrypoint.sh "$@"
