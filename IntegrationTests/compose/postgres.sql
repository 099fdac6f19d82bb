-- A role that owns a database, and one that may only connect to it.
CREATE ROLE elect LOGIN PASSWORD 'elect-secret';
CREATE ROLE guest LOGIN PASSWORD 'guest-secret';
CREATE DATABASE elections OWNER elect;
\connect elections
CREATE EXTENSION pg_stat_statements;
GRANT USAGE, CREATE ON SCHEMA public TO elect;
REVOKE CREATE ON SCHEMA public FROM guest, PUBLIC;
-- Who may copy the server, for the standby.
\! echo 'host replication admin all scram-sha-256' >> "$PGDATA/pg_hba.conf"
