#!/usr/bin/env bash
# Proves that a bare Debian 12 is enough: makes one with debootstrap, clones the committed project into it and
# runs `./dev run` (until it serves a command and its metrics) and `./dev test` there, nothing prepared.
#
#   bare_debian.sh [--unit | --full] [--tree FOLDER] [--keep]
#
# The mirror, proxies, certificate authorities and Python index are this machine's, read when it runs. Mounts
# and processes live in namespaces of their own and end with it, however it ends.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=${here%/tests/fresh}
suite=--unit
keep=''
inside=/srv/sidecar

usage() {
    echo "usage: bare_debian.sh [--unit|--full] [--tree FOLDER] [--keep]" >&2
    exit 2
}
while (($#)); do
    case $1 in
        --unit | --full) suite=$1 ;;
        --tree) project=$(cd "${2:?--tree needs a folder}" && pwd) && shift ;;
        --keep) keep=1 ;;
        *) usage ;;
    esac
    shift
done

say() { echo "fresh: $*"; }
fail() {
    echo "fresh: $*" >&2
    exit 1
}

# shellcheck source=tests/fresh/sources.sh
. "$here/sources.sh"

make_root() {
    local target=$1 sources mirror proxy
    sources=$(debian_sources)
    mirror=$(awk '$2 == "bookworm" { print $1; exit }' <<<"$sources")
    [[ -n $mirror ]] || fail "this machine's apt has no source for Debian 12 (bookworm)"
    proxy=$(apt-config shell proxy Acquire::http::Proxy)
    eval "$proxy"
    [[ -z ${proxy:-} ]] || export http_proxy=$proxy
    debootstrap --variant=minbase bookworm "$target" "$mirror" >"$work/debootstrap.log" 2>&1 ||
        { tail -n 15 "$work/debootstrap.log" >&2 && fail "debootstrap failed"; }
    awk '{ print "deb", $1, $2, "main" }' <<<"$sources" >"$target/etc/apt/sources.list"
    apt-config dump Acquire >"$target/etc/apt/apt.conf.d/90machine"
}

# What a machine needs to reach its registries: name service, authorities, the Python index.
copy_network() {
    local target=$1 file
    cp -L /etc/resolv.conf /etc/hosts "$target/etc/"
    for file in /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
        [[ ! -f $file ]] || install -D -m 644 "$file" "$target$file"
    done
    if compgen -G '/usr/local/share/ca-certificates/*' >/dev/null; then
        mkdir -p "$target/usr/local/share/ca-certificates"
        cp -rL /usr/local/share/ca-certificates/. "$target/usr/local/share/ca-certificates/"
    fi
}

# Prints NAME=VALUE of the environment that configures proxies, authorities and package indices.
network_environment() {
    env | grep -iE '^(https?_proxy|all_proxy|no_proxy|PIP_[A-Z_]+|SSL_CERT_(FILE|DIR)|[A-Z_]*CA_(BUNDLE|CERTS)|GOPROXY|GONOSUMDB|GOSUMDB)=' |
        grep -v '^PIP_FIND_LINKS=' || true
}

if ((EUID != 0)); then fail "needs root: debootstrap and chroot"; fi
for tool in debootstrap unshare chroot git; do
    command -v "$tool" >/dev/null || fail "$tool is missing: ./dev setup fresh installs it"
done

work=$(mktemp -d "${TMPDIR:-/tmp}/sidecar-fresh.XXXXXX")
clean_up() {
    if [[ -n $keep ]]; then
        say "kept: $work"
    else
        rm -rf --one-file-system "$work"
    fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

begin=$SECONDS
make_root "$work/debian"
copy_network "$work/debian"
git clone --quiet --no-hardlinks "$project" "$work/debian$inside"
cp "$here/inside.sh" "$work/debian/srv/inside.sh"
say "a bare Debian 12 stands after $((SECONDS - begin)) s"

mapfile -t environment < <(network_environment)
unshare --mount --pid --fork --kill-child --propagation private \
    bash "$here/enter.sh" "$work/debian" env -i HOME=/root LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${environment[@]}" \
    bash /srv/inside.sh "$inside" "$suite" </dev/null
say "done after $((SECONDS - begin)) s"
