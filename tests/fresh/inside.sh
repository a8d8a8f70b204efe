#!/usr/bin/env bash
# inside.sh PROJECT --unit|--full: the part of bare_debian.sh that runs in the bare system.
set -euo pipefail
project=$1
suite=$2
log=/tmp/dev-run.log
cd "$project"

say() { echo "fresh: $*"; }
fail() {
    echo "fresh: $*" >&2
    tail -n 40 "$log" >&2
    exit 1
}

# within SECONDS WHAT COMMAND…: polls until COMMAND holds; the `./dev run` under test must stay alive meanwhile.
within() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        kill -0 "$run" 2>/dev/null || fail "./dev run ended before it was true that $what"
        ((SECONDS < deadline)) || fail "not in time: $what"
        sleep 0.3
    done
}
gone() { ! kill -0 "$1" 2>/dev/null; }
is_ready() { grep -q '^ready ' "$log"; }
commands_running() { cat /proc/[0-9]*/comm 2>/dev/null | grep -cE '^(sidecar|redis-server)' || true; }

[[ -z $(command -v cmake g++ redis-server sudo || true) ]] || fail "this system is not bare"

begin=$SECONDS
./dev run </dev/null >"$log" 2>&1 &
run=$!
within 2400 "./dev run is ready" is_ready
say "./dev run is ready after $((SECONDS - begin)) s"
sed -n '/^ready /,$p' "$log"
[[ $(commands_running) -ge 2 ]] || fail "not both sidecar and redis-server run"

redis=$(sed -n 's/^ready .*redis=\([^ ,]*\).*/\1/p' "$log")
http=$(sed -n 's/^ready .*http=\([^ ]*\).*/\1/p' "$log")
redis_cli=(redis-cli -h "${redis%:*}" -p "${redis##*:}")
[[ $("${redis_cli[@]}" set greeting hello) == OK ]] || fail "redis-cli SET was not answered with OK"
[[ $("${redis_cli[@]}" get greeting) == hello ]] || fail "redis-cli GET did not bring the value back"
[[ $("${redis_cli[@]}" -n 2 lpush jobs one) == 1 ]] || fail "redis-cli LPUSH on db 2 was not answered with 1"
metrics=$(/usr/bin/python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())' \
    "http://$http/metrics" 2>/dev/null) || fail "http://$http/metrics was not answered"
grep -q '^sidecar_' <<<"$metrics" || fail "the metrics name nothing of the sidecar's"
say "redis-cli and the metrics answer"

kill -TERM "$run"
deadline=$((SECONDS + 30))
until gone "$run" && [[ $(commands_running) == 0 ]]; do
    ((SECONDS < deadline)) || fail "30 s after the signal something still runs"
    sleep 0.3
done
say "./dev run stopped and left no process"
[[ ! -e /usr/sbin/policy-rc.d ]] || fail "the setup left a policy-rc.d behind"

begin=$SECONDS
if [[ $suite == --full ]]; then ./dev test; else ./dev test --unit --tidy; fi
say "./dev test passed after $((SECONDS - begin)) s"
