#!/bin/sh
# The answer is compared: redis-cli ends with 0 on NOAUTH too.
set -eu
if [ -n "${REDIS_PASSWORD:-}" ]; then export REDISCLI_AUTH="$REDIS_PASSWORD"; fi
# shellcheck disable=SC2086 # flags, or nothing
answer=$(redis-cli ${REDIS_CLI_FLAGS:-} ping 2>&1) || true
if [ "$answer" = PONG ]; then exit 0; fi
echo "redis-cli ping: $answer" >&2
exit 1
