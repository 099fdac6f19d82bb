# Part of scripts/servers: Consul alone, one with users and TLS, and a cluster of three.

consul_program=""
consul_management=00000000-0000-0000-0000-00000000aaaa
consul_token=00000000-0000-0000-0000-00000000e1ec
consul_guest=00000000-0000-0000-0000-0000000091e5

# Only older releases of Debian have Consul: unpacked beside the servers, the system's own packages stay as they are.
need_consul() {
    [ -z "$consul_program" ] || return 0
    consul_program="$(command -v consul || true)"
    [ -z "$consul_program" ] || return 0
    consul_program="$home/packages/consul/usr/bin/consul"
    [ ! -x "$consul_program" ] || return 0
    command -v apt-get >/dev/null || fail "consul is missing; install it with this system's package manager"
    local work="$home/packages/download.$$"
    mkdir -p "$work"
    say "fetching consul"
    if ! (cd "$work" && apt-get download -qq consul) >/dev/null 2>&1; then
        suite_apt bullseye || fail "consul is in no package source of this machine, and neither is bullseye"
        APT_CONFIG="$home/packages/apt/apt.conf" apt-get update -qq >&2 || fail "consul: cannot read bullseye"
        (cd "$work" && APT_CONFIG="$home/packages/apt/apt.conf" apt-get download -qq consul) >&2 ||
            fail "consul: not in bullseye"
    fi
    dpkg -x "$work"/consul_*.deb "$work/consul"
    # In one step; another set may have been faster.
    mv -T "$work/consul" "$home/packages/consul" 2>/dev/null || true
    rm -rf "$work"
    "$consul_program" version >/dev/null || fail "consul does not run here"
}

# Time-outs of raft as short as they go, sessions of a second and more.
start_consul() { # PART
    local part="$1" at port number tls="$home/tls" ports more=""
    at="$(place "$part")"
    port="$(port_of "$part")"
    mkdir -p "$at/data"
    case "$part" in
    consul) ports="\"http\": $port, \"https\": -1, \"server\": $((port_base + 1)), \"serf_lan\": $((port_base + 2))" ;;
    consul-tls)
        ports="\"http\": $((port_base + 4)), \"https\": $port, \"server\": $((port_base + 5)), \"serf_lan\": $((port_base + 6))"
        more="\"ca_file\": \"$tls/ca.crt\", \"cert_file\": \"$tls/server.crt\", \"key_file\": \"$tls/server.key\",
            \"verify_incoming_https\": true, \"acl\": {\"enabled\": true, \"default_policy\": \"deny\",
                \"tokens\": {\"master\": \"$consul_management\", \"agent\": \"$consul_management\"}},"
        ;;
    consul-cluster/*)
        number="${part##*/}"
        ports="\"http\": $port, \"https\": -1, \"server\": $((port_base + 13 + number)), \"serf_lan\": $((port_base + 16 + number))"
        more="\"retry_join\": [\"127.0.0.1:$((port_base + 17))\", \"127.0.0.1:$((port_base + 18))\",
                \"127.0.0.1:$((port_base + 19))\"], \"retry_interval\": \"1s\","
        ;;
    esac
    case "$part" in
    consul-cluster/*) more="$more \"bootstrap_expect\": 3," ;;
    *) more="$more \"bootstrap\": true," ;;
    esac
    cat >"$at/consul.json" <<END
{
    "server": true, "node_name": "$(echo "$part" | tr / -)", "bind_addr": "127.0.0.1", "client_addr": "127.0.0.1",
    "data_dir": "$at/data", "log_level": "warn", "disable_update_check": true, "disable_host_node_id": true,
    $more
    "session_ttl_min": "1s", "performance": {"raft_multiplier": 1}, "limits": {"http_max_conns_per_client": 5000},
    "ports": {$ports, "serf_wan": -1, "grpc": -1, "dns": -1}
}
END
    give "$at"
    launch "$part" "$consul_program" agent "-config-file=$at/consul.json"
}

consul_leader() { # PART: whom it takes for the cluster's leader; nothing if it knows of none
    { exec 8<>"/dev/tcp/127.0.0.1/$(consul_http "$1")" &&
        printf 'GET /v1/status/leader HTTP/1.0\r\n\r\n' >&8 &&
        timeout 2 sed -n 's/^"\(.*\)"$/\1/p' <&8; } 2>/dev/null || true
    exec 8>&- 2>/dev/null || true
}
consul_http() { # PART: its port without TLS
    case "$1" in consul-tls) echo $((port_base + 4)) ;; *) port_of "$1" ;; esac
}
consul_answers() { [ -n "$(consul_leader "$1")" ]; }
consul_mode() { # PART
    local leader
    leader="$(consul_leader "$1")"
    case "$leader" in
    "") ;;
    *":$((port_base + 13 + ${1##*/}))") echo leader ;;
    *) echo follower ;;
    esac
}

consul_cli() { # PART ARG…
    local part="$1"
    shift
    need_consul
    CONSUL_HTTP_ADDR="127.0.0.1:$(consul_http "$part")" CONSUL_HTTP_TOKEN="$consul_management" "$consul_program" "$@"
}

# Who may elect, and who may do nothing.
fill_consul() { # PART
    [ "$1" = consul-tls ] && [ ! -e "$(place "$1")/filled" ] || return 0
    local deadline=$((SECONDS + 20))
    until consul_cli consul-tls acl policy create -name elections \
        -rules 'key_prefix "leader-election" { policy = "write" } key_prefix "tests/" { policy = "write" } session_prefix "" { policy = "write" }' \
        >"$(place consul-tls)/acl" 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || { cat "$(place consul-tls)/acl" >&2; fail "consul-tls: cannot make the users"; }
        sleep 0.1
    done
    { consul_cli consul-tls acl token create -policy-name elections -secret "$consul_token" &&
        consul_cli consul-tls acl policy create -name guests -rules 'key_prefix "guests/" { policy = "read" }' &&
        consul_cli consul-tls acl token create -policy-name guests -secret "$consul_guest"; } \
        >>"$(place consul-tls)/acl" 2>&1 || { cat "$(place consul-tls)/acl" >&2; fail "consul-tls: cannot make the users"; }
    : >"$(place consul-tls)/filled"
}
