#!/bin/sh
# Starts redis-server with redis.conf and, when REDIS_PASSWORD is set, that password: read from standard input,
# so that neither a file nor the process list holds it. Further arguments are lines of configuration.
set -eu
conf=${REDIS_CONF:-/usr/local/etc/redis/redis.conf}

auth=
if [ -n "${REDIS_PASSWORD:-}" ]; then
    auth=$(printf 'requirepass "%s"' "$(printf '%s' "$REDIS_PASSWORD" | sed 's/[\\"]/\\&/g')")
fi
own=
for line in "$@"; do
    own="$own$line
"
done
unset REDIS_PASSWORD
# The image's entrypoint leaves root behind; elsewhere redis-server is started as it is.
command=redis-server
if command -v docker-entrypoint.sh >/dev/null; then command='docker-entrypoint.sh redis-server'; fi
# shellcheck disable=SC2086 # two words
exec $command - <<EOF
$(cat "$conf")
$own
$auth
EOF
