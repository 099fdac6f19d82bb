#!/bin/sh
# The server insists on a key that is its own.
set -eu
mkdir -p /var/lib/postgresql/tls
cp /tls/server.crt /tls/server.key /var/lib/postgresql/tls/
chown -R postgres /var/lib/postgresql/tls
chmod 600 /var/lib/postgresql/tls/server.key
# Commits are synchronous; that the machine loses power is not tested.
exec docker-entrypoint.sh postgres \
    -c fsync=off -c full_page_writes=off -c synchronous_commit=on -c max_connections=200 \
    -c wal_level=replica -c max_wal_senders=4 -c log_connections=on \
    -c shared_preload_libraries=pg_stat_statements -c timezone=UTC \
    -c ssl=on -c ssl_cert_file=/var/lib/postgresql/tls/server.crt -c ssl_key_file=/var/lib/postgresql/tls/server.key
