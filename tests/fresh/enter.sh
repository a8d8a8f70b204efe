#!/usr/bin/env bash
# enter.sh ROOT COMMAND…: gives ROOT its /proc and /dev and runs COMMAND in it. The caller has put this process
# into mount and process namespaces of its own, so nothing here has to be undone.
set -euo pipefail
root=$1
shift
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
device() { mknod -m "${4:-666}" "$root/dev/$1" c "$2" "$3"; }
device null 1 3
device zero 1 5
device full 1 7
device random 1 8
device urandom 1 9
device tty 5 0
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
# A waiting parent: process 1 of the namespace must not end before its command and reaps what is orphaned.
status=0
chroot "$root" "$@" || status=$?
exit "$status"
