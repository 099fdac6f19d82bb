# Part of scripts/servers: PostgreSQL with SCRAM and TLS, a streaming standby, and pgbouncer with transaction pooling.

# One authority and one certificate for all sets: what is checked is "localhost" and 127.0.0.1.
make_certificates() {
    [ ! -e "$home/tls/server.crt" ] || return 0
    need_program openssl openssl
    local new="$home/tls.$$"
    rm -rf "$new"
    mkdir -p "$new"
    {
        openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=election tests" -keyout "$new/ca.key" -out "$new/ca.crt"
        openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$new/server.key" -out "$new/server.csr"
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$new/extensions"
        openssl x509 -req -in "$new/server.csr" -CA "$new/ca.crt" -CAkey "$new/ca.key" -CAcreateserial -days 3650 \
            -out "$new/server.crt" -extfile "$new/extensions"
    } >"$new/log" 2>&1 || { cat "$new/log" >&2; fail "openssl made no certificates; see above"; }
    chmod 600 "$new"/*.key
    give "$new"
    # In one step; another set may have been faster.
    mv -T "$new" "$home/tls" 2>/dev/null || rm -rf "$new"
}

start_postgres() {
    local at tls="$home/tls"
    at="$(place postgres)"
    # Made in one step, so that a half-made one is not taken for a whole one.
    if [ ! -e "$at/made" ]; then
        rm -rf "$at"
        mkdir -p "$at"
        echo admin-secret >"$at/password"
        give "$at"
        "${run_as[@]}" "$postgres_bin/initdb" -D "$at/data" -U admin -A scram-sha-256 "--pwfile=$at/password" --no-sync \
            -E UTF8 --locale=C >"$at/log" 2>&1 || { cat "$at/log" >&2; fail "initdb failed; see above"; }
        # Nothing may be lost while the server lives, so commits are synchronous; that the machine loses power is not tested.
        cat >>"$at/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
synchronous_commit = on
shared_buffers = 32MB
max_connections = 200
wal_level = replica
max_wal_senders = 4
log_connections = on
log_line_prefix = '%m [%p] %u@%d '
timezone = 'UTC'
log_timezone = 'UTC'
shared_preload_libraries = 'pg_stat_statements'
ssl = on
ssl_cert_file = '$tls/server.crt'
ssl_key_file = '$tls/server.key'
END
        : >"$at/made"
    fi
    launch_postgres postgres
}
launch_postgres() { # PART
    # It is known to have ended; PostgreSQL takes one that was killed and not reaped yet for alive.
    rm -f "$(place "$1")/data/postmaster.pid"
    launch "$1" "$postgres_bin/postgres" -D "$(place "$1")/data" -p "$(port_of "$1")"
}
postgres_answers() { "$postgres_bin/pg_isready" -q -h 127.0.0.1 -p "$(port_of "$1")"; }
sql_as_admin() { # DATABASE
    PGPASSWORD=admin-secret "$postgres_bin/psql" -X -q -v ON_ERROR_STOP=1 \
        "host=127.0.0.1 port=$(port_of postgres) user=admin dbname=$1" >>"$(place postgres)/log" 2>&1
}
# A role that owns a database, and one that may only connect to it.
fill_postgres() {
    [ ! -e "$(place postgres)/filled" ] || return 0
    sql_as_admin postgres <<'END' || { tail "$(place postgres)/log" >&2; fail "postgres: cannot make the roles"; }
CREATE ROLE elect LOGIN PASSWORD 'elect-secret';
CREATE ROLE guest LOGIN PASSWORD 'guest-secret';
CREATE DATABASE elections OWNER elect;
END
    sql_as_admin elections <<'END' || { tail "$(place postgres)/log" >&2; fail "postgres: cannot make the database"; }
CREATE EXTENSION pg_stat_statements;
GRANT USAGE, CREATE ON SCHEMA public TO elect;
REVOKE CREATE ON SCHEMA public FROM guest, PUBLIC;
END
    : >"$(place postgres)/filled"
}

start_standby() {
    local at
    at="$(place postgres-standby)"
    if [ ! -e "$at/made" ]; then
        rm -rf "$at"
        mkdir -p "$at"
        give "$at"
        "${run_as[@]}" env PGPASSWORD=admin-secret "$postgres_bin/pg_basebackup" -D "$at/data" -R -X stream -c fast --no-sync \
            -d "host=127.0.0.1 port=$(port_of postgres) user=admin" >"$at/log" 2>&1 ||
            { cat "$at/log" >&2; fail "postgres-standby: no copy of postgres; see above"; }
        : >"$at/made"
    fi
    launch_postgres postgres-standby
}

start_pgbouncer() {
    local at tls="$home/tls"
    at="$(place pgbouncer)"
    mkdir -p "$at"
    printf '"%s" "%s"\n' elect elect-secret guest guest-secret admin admin-secret >"$at/users.txt"
    cat >"$at/pgbouncer.ini" <<END
[databases]
* = host=127.0.0.1 port=$(port_of postgres)
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $(port_of pgbouncer)
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $at/users.txt
admin_users = admin
pool_mode = transaction
default_pool_size = 4
server_tls_sslmode = verify-ca
server_tls_ca_file = $tls/ca.crt
client_tls_sslmode = allow
client_tls_cert_file = $tls/server.crt
client_tls_key_file = $tls/server.key
END
    give "$at"
    launch pgbouncer pgbouncer "$at/pgbouncer.ini"
}
