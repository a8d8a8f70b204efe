#!/bin/sh
# packages_of.sh GROUP FILE: prints the packages of a group of .ci/packages.txt, for the Dockerfiles.
set -eu
awk -v group="[$1]" '/^\[/ { inside = ($0 == group); next } inside && NF && $1 !~ /^#/ { print $1 }' "$2"
