# Part of ./dev: what must be installed, and how. Sourced by it, at the root of the project.
# shellcheck shell=bash
# shellcheck disable=SC2154 # root, venv, packages_file are ./dev's

# Prints the packages of the named groups, less those whose command is already on PATH.
packages_of() {
    local group name unless command wanted
    for wanted in "$@"; do
        grep -qx "\[$wanted\]" "$packages_file" || fail "$packages_file has no group [$wanted]"
    done
    while read -r name unless command; do
        case $name in
            '' | '#'*) ;;
            '['*) group=${name//[\[\]]/} ;;
            *)
                [[ " $* " == *" $group "* ]] || continue
                [[ $unless == unless ]] && command -v "$command" >/dev/null && continue
                echo "$name"
                ;;
        esac
    done <"$packages_file" | sort -u
}

missing_packages() {
    local wanted installed
    wanted=$(packages_of "$@") || exit 1
    installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p')
    grep -vxF "$installed" <<<"$wanted" || true
}

require_debian() {
    local name
    # shellcheck source=/dev/null
    name=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}") || name="an unknown system"
    [[ $name == "debian 12" ]] || fail "setup installs on Debian 12 only, this is $name:" \
        "install what $packages_file names by hand and set SIDECAR_SKIP_SETUP=1"
}

# setup_packages GROUP…: installs what is missing, as root or through sudo. Free when nothing is.
setup_packages() {
    [[ -z ${SIDECAR_SKIP_SETUP:-} ]] || return 0
    require_debian
    local names missing as_root=() log=build/logs/setup.log
    names=$(missing_packages "$@")
    [[ -n $names ]] || return 0
    mapfile -t missing <<<"$names"
    if ((EUID != 0)); then
        command -v sudo >/dev/null || fail "setup must install ${missing[*]}: run it as root or install sudo"
        as_root=(sudo)
    fi
    mkdir -p build/logs
    say "setup: installing ${#missing[@]} packages (log: $log): ${missing[*]}"
    if ! "${as_root[@]}" bash "$root/dev" install-packages "${missing[@]}" </dev/null >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        fail "setup: the installation failed, see $log"
    fi
}

# Runs as root. Debian starts a server when its package is installed (redis-server would take port 6379), so
# a policy-rc.d that forbids every start stands in for the time of the installation. One that forbids starts
# already is left alone, another is put aside and comes back on any exit; what a killed run left is undone.
policy=/usr/sbin/policy-rc.d
policy_aside=$policy.before-sidecar
policy_marker="Put here by the setup of Sidecar"

restore_policy() {
    if grep -qs "$policy_marker" "$policy"; then rm -f "$policy"; fi
    if [[ -e $policy_aside || -L $policy_aside ]]; then mv -f "$policy_aside" "$policy"; fi
}

install_packages() {
    exec 9>/run/lock/sidecar-setup
    flock 9
    restore_policy
    trap restore_policy EXIT
    trap 'exit 130' INT TERM HUP
    local verdict=0
    if [[ -x $policy ]]; then "$policy" redis-server start >/dev/null 2>&1 || verdict=$?; fi
    if ((verdict != 101)); then
        if [[ -e $policy || -L $policy ]]; then mv "$policy" "$policy_aside"; fi
        printf '#!/bin/sh\n# %s: no service starts meanwhile.\nexit 101\n' "$policy_marker" >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q 9>&- || echo "apt-get update failed; trying with the lists at hand"
    apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 -- "$@" 9>&-
}

# The Python tools live in a virtual environment of Debian's python3, filled again when the pins change.
setup_python() {
    local want
    mkdir -p build/logs
    exec 8>build/venv.lock
    flock 8
    want=$({ cat tests/requirements.txt && /usr/bin/python3 --version && echo "$root"; } | sha256sum)
    if [[ $(cat "$venv/.stamp" 2>/dev/null) != "$want" ]]; then
        say "setup: Python tools into $venv (log: build/logs/pip.log)"
        if ! { { "$venv/bin/python" -m pip --version || /usr/bin/python3 -m venv --clear "$venv"; } &&
            "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt; } \
            >build/logs/pip.log 2>&1 8>&-; then
            tail -n 15 build/logs/pip.log >&2
            fail "setup: installing tests/requirements.txt failed, see build/logs/pip.log"
        fi
        echo "$want" >"$venv/.stamp"
    fi
    exec 8>&-
}

setup() {
    local groups=("$@")
    ((${#groups[@]})) || groups=(build run test lint clients)
    setup_packages "${groups[@]}"
    case " ${groups[*]} " in *" test "* | *" lint "*) setup_python ;; esac
    say "setup: complete"
}

# The services' packages, and the channel layer of this tree, in an environment of their own.
setup_stack_python() {
    local stack_venv=build/stack/venv want
    want=$(cat compose/services/requirements*.txt channels/python/pyproject.toml channels/python/*/*.py <(echo "$root") | sha256sum)
    [[ $(cat "$stack_venv/.stamp" 2>/dev/null) != "$want" ]] || return 0
    say "setup: the services' Python packages into $stack_venv (log: build/logs/stack-pip.log)"
    mkdir -p build/logs build/stack
    # pip writes into what it installs: a copy
    rm -rf build/stack/channels && cp -r channels/python build/stack/channels
    { /usr/bin/python3 -m venv --clear "$stack_venv" && "$stack_venv/bin/python" -m pip install --quiet \
        --disable-pip-version-check -r compose/services/requirements.txt -r compose/services/requirements-test.txt \
        ./build/stack/channels; } \
        >build/logs/stack-pip.log 2>&1 || fail "setup: the services' packages: see build/logs/stack-pip.log"
    echo "$want" >"$stack_venv/.stamp"
}
