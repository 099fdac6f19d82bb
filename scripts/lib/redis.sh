# Part of scripts/servers: Redis alone, with TLS and users, with Sentinel, as a cluster, as independent masters; Valkey.

start_redis() { # PART
    local part="$1" at port program tls="$home/tls"
    at="$(place "$part")"
    port="$(port_of "$part")"
    program="$(command -v redis-server)"
    [ "$part" != valkey ] || program="$valkey_server"
    mkdir -p "$at/data"
    case "$part" in
    redis-sentinel/sentinel*)
        # Sentinel writes into its file what it learns; wiping makes it forget.
        [ -e "$at/redis.conf" ] || printf '%s\n' "port $port" 'bind 127.0.0.1' "dir $at/data" \
            "sentinel monitor elections 127.0.0.1 $(port_of redis-sentinel/primary) 2" \
            'sentinel down-after-milliseconds elections 500' 'sentinel failover-timeout elections 3000' \
            'sentinel parallel-syncs elections 2' >"$at/redis.conf"
        give "$at"
        launch "$part" "$program" "$at/redis.conf" --sentinel
        return
        ;;
    esac
    [ -e "$at/redis.conf" ] || {
        printf '%s\n' 'bind 127.0.0.1' "dir $at/data" 'save ""' 'maxclients 20000' 'repl-diskless-sync-delay 0'
        # Written to the kernel before each answer, which survives a kill; no waiting for a disk.
        if [ -n "$durable" ]; then echo 'appendonly yes'; echo 'appendfsync no'; else echo 'appendonly no'; fi
        case "$part" in
        redis-tls)
            printf '%s\n' 'port 0' "tls-port $port" "tls-cert-file $tls/server.crt" "tls-key-file $tls/server.key" \
                "tls-ca-cert-file $tls/ca.crt" 'tls-auth-clients no' 'user default off' \
                'user admin on >admin-secret ~* &* +@all' \
                'user elect on >elect-secret ~* &* +@all -@admin -@dangerous +info +role' \
                'user guest on >guest-secret -@all +@connection'
            ;;
        redis-cluster/*)
            printf '%s\n' "port $port" "cluster-port $((port + 20))" 'cluster-enabled yes' \
                'cluster-config-file nodes.conf' 'cluster-node-timeout 1000'
            ;;
        redis-sentinel/replica*) printf '%s\n' "port $port" "replicaof 127.0.0.1 $(port_of redis-sentinel/primary)" ;;
        *) echo "port $port" ;;
        esac
    } >"$at/redis.conf"
    give "$at"
    launch "$part" "$program" "$at/redis.conf"
}

redis_cli() { # PART ARG…
    local part="$1" options=()
    shift
    part="$(parts_of "$part" | cut -d ' ' -f 1)"
    [ "$part" != redis-tls ] || options=(-h localhost --tls --cacert "$home/tls/ca.crt" --user admin -a admin-secret --no-auth-warning)
    redis-cli -p "$(port_of "$part")" "${options[@]}" "$@"
}
redis_answers() { [[ "$(redis_cli "$1" ping 2>/dev/null)" == PONG ]]; }

# Waits for a condition.
soon() { # SECONDS WHAT COMMAND…
    local deadline=$((SECONDS + $1)) what="$2"
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "$what takes too long"
        sleep 0.05
    done
}
sentinel_knows_all() {
    local answer
    answer="$(redis_cli "$1" sentinel master elections 2>/dev/null | paste -sd ' ')"
    [[ "$answer" == *"num-slaves 2"* && "$answer" == *"num-other-sentinels 2"* ]]
}
join_sentinels() {
    local number
    for number in 1 2 3; do soon 30 "redis-sentinel: joining" sentinel_knows_all "redis-sentinel/sentinel$number"; done
}
cluster_is_whole() { [[ "$(redis_cli "$1" cluster info 2>/dev/null)" == *cluster_state:ok* ]]; }
join_cluster() {
    local number nodes=()
    if [[ "$(redis_cli redis-cluster/1 cluster info)" == *cluster_known_nodes:1[!0-9]* ]]; then
        for number in 1 2 3 4 5 6; do nodes+=("127.0.0.1:$(port_of "redis-cluster/$number")"); done
        redis-cli --cluster create "${nodes[@]}" --cluster-replicas 1 --cluster-yes >"$directory/redis-cluster/log" 2>&1 ||
            { cat "$directory/redis-cluster/log" >&2; fail "redis-cluster: cannot be joined; see above"; }
    fi
    for number in 1 2 3 4 5 6; do soon 30 "redis-cluster: joining" cluster_is_whole "redis-cluster/$number"; done
}
