#!/bin/sh
# redis.sh single | tls | sentinel | cluster: what runs in one container. check-…: whether all of it knows each other.
set -eu
base="--save '' --appendonly no --bind 0.0.0.0 --protected-mode no --repl-diskless-sync-delay 0 --maxclients 20000"

start() { # PORT ARG…: one of several, in a directory of its own
    port="$1"
    shift
    mkdir -p "/data/$port"
    eval redis-server $base --port "$port" --dir "/data/$port" "$@" &
}
await() { # COMMAND…
    until "$@" >/dev/null 2>&1; do sleep 0.1; done
}
sentinels_know_all() {
    for port in 24065 24066 24067; do
        answer="$(redis-cli -p "$port" sentinel master elections | tr '\n' ' ')"
        case "$answer" in *"num-slaves 2 "*"num-other-sentinels 2 "*) ;; *) return 1 ;; esac
    done
}
cluster_is_whole() {
    for port in 24070 24071 24072 24073 24074 24075; do
        redis-cli -p "$port" cluster info | grep -q cluster_state:ok || return 1
    done
}

case "$1" in
single) eval exec docker-entrypoint.sh redis-server $base ;;
tls)
    mkdir -p /data/tls
    cp /tls/ca.crt /tls/server.crt /tls/server.key /data/tls/
    cat >/data/redis.conf <<END
bind 0.0.0.0
port 0
tls-port 6379
tls-cert-file /data/tls/server.crt
tls-key-file /data/tls/server.key
tls-ca-cert-file /data/tls/ca.crt
tls-auth-clients no
save ""
appendonly no
user default off
user admin on >admin-secret ~* &* +@all
user elect on >elect-secret ~* &* +@all -@admin -@dangerous +info +role
user guest on >guest-secret -@all +@connection
END
    chown -R redis /data
    exec docker-entrypoint.sh redis-server /data/redis.conf
    ;;
sentinel)
    start 24060
    start 24061 --replicaof 127.0.0.1 24060
    start 24062 --replicaof 127.0.0.1 24060
    for port in 24060 24061 24062; do await redis-cli -p "$port" ping; done
    for port in 24065 24066 24067; do
        mkdir -p "/data/$port"
        cat >"/data/$port/sentinel.conf" <<END
port $port
bind 0.0.0.0
protected-mode no
dir /data/$port
sentinel monitor elections 127.0.0.1 24060 2
sentinel down-after-milliseconds elections 500
sentinel failover-timeout elections 3000
sentinel parallel-syncs elections 2
sentinel announce-ip 127.0.0.1
END
        redis-server "/data/$port/sentinel.conf" --sentinel &
    done
    wait
    ;;
cluster)
    for port in 24070 24071 24072 24073 24074 24075; do
        start "$port" --cluster-enabled yes --cluster-port $((port + 20)) --cluster-announce-ip 127.0.0.1 \
            --cluster-config-file nodes.conf --cluster-node-timeout 1000
    done
    for port in 24070 24071 24072 24073 24074 24075; do await redis-cli -p "$port" ping; done
    cluster_is_whole || redis-cli --cluster create 127.0.0.1:24070 127.0.0.1:24071 127.0.0.1:24072 \
        127.0.0.1:24073 127.0.0.1:24074 127.0.0.1:24075 --cluster-replicas 1 --cluster-yes
    wait
    ;;
check-sentinel) sentinels_know_all ;;
check-cluster) cluster_is_whole ;;
*) echo "redis.sh: $1?" >&2; exit 64 ;;
esac
