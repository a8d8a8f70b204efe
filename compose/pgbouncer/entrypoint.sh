#!/bin/sh
set -eu
/usr/local/share/pgbouncer/generate.sh /etc/pgbouncer
exec pgbouncer /etc/pgbouncer/pgbouncer.ini
