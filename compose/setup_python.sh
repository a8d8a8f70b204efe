#!/usr/bin/env bash
# Makes build/stack/venv: the services' packages and those of their tests, and the channel layer of this tree.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=build/stack/venv
log=build/logs/stack-pip.log
want=$(cat compose/services/requirements*.txt channels/python/pyproject.toml channels/python/*/*.py <(pwd) | sha256sum)
if [[ $(cat "$venv/.stamp" 2>/dev/null) == "$want" ]]; then exit 0; fi
echo "setup: the services' Python packages into $venv (log: $log)"
mkdir -p build/logs build/stack
# pip writes into what it installs: a copy
rm -rf build/stack/channels
cp -r channels/python build/stack/channels
if ! { /usr/bin/python3 -m venv --clear "$venv" &&
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r compose/services/requirements.txt \
        -r compose/services/requirements-test.txt ./build/stack/channels; } >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    echo "setup: installing the services' packages failed, see $log" >&2
    exit 1
fi
echo "$want" >"$venv/.stamp"
