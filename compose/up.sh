#!/usr/bin/env bash
# up.sh [ARGS]: Compose v2 or v1 on this folder's files, `up` without arguments. An .env that is missing is
# copied from its example first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
elif command -v docker-compose >/dev/null; then
    compose=(docker-compose)
else
    echo "stack: there is neither docker compose nor docker-compose: install one, or use ./dev stack" >&2
    exit 2
fi
for example in .env.example services/*/.env.example; do
    if [[ ! -e ${example%.example} ]]; then
        cp "$example" "${example%.example}"
        echo "stack: compose/${example%.example} is made from its example: change what must be secret"
    fi
done
if (($# == 0)); then set -- up --build; fi
exec "${compose[@]}" "$@"
