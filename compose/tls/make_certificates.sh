#!/bin/sh
# make_certificates.sh [FOLDER]: an authority of one's own and a certificate for each store, for
# docker-compose.prod.yml. What exists is kept: remove a folder of keys/ to make that certificate anew.
#
# Each container is given its own folder of keys/ and the authority's certificate. The files can be read by
# whatever user runs in it; on the host keys/ is closed to all but its owner.
set -eu
folder=${1:-$(dirname "$0")}
days=${DAYS:-825}
umask 077
mkdir -p "$folder/ca" "$folder/keys"
chmod 755 "$folder/ca"
if [ ! -f "$folder/keys/ca.key" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj '/CN=HDMS authority' -keyout "$folder/keys/ca.key" -out "$folder/ca/ca.crt" 2>/dev/null
    chmod 644 "$folder/ca/ca.crt"
fi
for name in postgres pgbouncer redis sidecar; do
    own=$folder/keys/$name
    if [ -f "$own/$name.crt" ]; then continue; fi
    mkdir -p "$own"
    printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\n' "$name" >"$own/extensions"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
        -keyout "$own/$name.key" -out "$own/request" 2>/dev/null
    openssl x509 -req -in "$own/request" -CA "$folder/ca/ca.crt" -CAkey "$folder/keys/ca.key" -CAcreateserial \
        -CAserial "$folder/keys/ca.srl" -days "$days" -extfile "$own/extensions" -out "$own/$name.crt" 2>/dev/null
    rm -f "$own/request" "$own/extensions"
    chmod 755 "$own"
    chmod 644 "$own/$name.key" "$own/$name.crt"
    echo "$own/$name.crt: made, good for $days days"
done
