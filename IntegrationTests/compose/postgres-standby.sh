#!/bin/sh
# A copy that follows; made anew with each container.
set -eu
data=/var/lib/postgresql/standby
[ -e "$data/PG_VERSION" ] ||
    pg_basebackup -D "$data" -R -X stream -c fast -d "host=postgres port=5432 user=admin password=admin-secret"
exec postgres -D "$data" -c listen_addresses='*' -c max_connections=200 -c ssl=off
