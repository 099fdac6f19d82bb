# Part of scripts/servers: ZooKeeper alone, and an ensemble of three.

zookeeper_jars=/usr/share/java
need_zookeeper() {
    [ -e "$zookeeper_jars/zookeeper.jar" ] || install_packages zookeeper
    command -v java >/dev/null || install_packages default-jre-headless
    command -v java >/dev/null || fail "java is not in PATH"
}

# kazoo and Curator, whose candidates stand in one queue with ours: unpacked beside the servers, as only tests use them.
zookeeper_clients="python3-kazoo python3-six python3-pure-sasl libcurator-recipes-java libcurator-framework-java"
zookeeper_clients="$zookeeper_clients libcurator-client-java libguava-java libslf4j-java libjackson2-core-java"
zookeeper_clients="$zookeeper_clients libjackson2-databind-java libjackson2-annotations-java"
need_zookeeper_clients() {
    local to="$home/packages/zookeeper-clients" file
    [ ! -d "$to" ] || return 0
    command -v apt-get >/dev/null || fail "kazoo and Curator are missing; for their tests install $zookeeper_clients"
    need_program python3 python3
    say "fetching kazoo and Curator"
    rm -rf "$to.download" "$to.new"
    mkdir -p "$to.download"
    fetch_zookeeper_clients "$to.download" >/dev/null 2>&1 || {
        # Nothing is known yet of what there is, or what is known is old.
        as_root apt-get update -qq >&2 || fail "kazoo and Curator: cannot read the package sources; is the network there?"
        fetch_zookeeper_clients "$to.download" >&2 || fail "kazoo and Curator: cannot fetch $zookeeper_clients"
    }
    for file in "$to.download"/*.deb; do dpkg -x "$file" "$to.new" || fail "kazoo and Curator: cannot unpack $file"; done
    rm -rf "$to.download"
    mv "$to.new" "$to"
}
fetch_zookeeper_clients() { (cd "$1" && apt-get download -qq $zookeeper_clients); } # DIRECTORY

# Ticks of 200 ms, so that sessions of 600 ms and more can be had. No disk is waited for, as its flushes stall at times for
# longer than such a session lasts; that the machine loses power is not tested.
start_zookeeper() { # PART
    local part="$1" at port number
    at="$(place "$part")"
    port="$(port_of "$part")"
    mkdir -p "$at/data"
    printf '%s\n' 'log4j.rootLogger=WARN, C' 'log4j.appender.C=org.apache.log4j.ConsoleAppender' \
        'log4j.appender.C.layout=org.apache.log4j.PatternLayout' \
        'log4j.appender.C.layout.ConversionPattern=%d %-5p [%t] %m%n' >"$at/log4j.properties"
    {
        printf '%s\n' tickTime=200 initLimit=50 syncLimit=10 minSessionTimeout=400 maxSessionTimeout=40000 \
            admin.enableServer=false 4lw.commands.whitelist=ruok,srvr,mntr,wchs maxClientCnxns=0 \
            forceSync=no clientPortAddress=127.0.0.1 "clientPort=$port" "dataDir=$at/data"
        case "$part" in
        zookeeper-ensemble/*)
            for number in 1 2 3; do
                echo "server.$number=127.0.0.1:$(quorum_port "$part" "$number"):$((port_base + 26 + number))"
            done
            echo "${part##*/}" >"$at/data/myid"
            ;;
        esac
    } >"$at/zoo.cfg"
    give "$at"
    launch "$part" java -Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dzookeeper.jmx.log4j.disable=true \
        -cp "$at:$zookeeper_jars/zookeeper.jar:$zookeeper_jars/slf4j-log4j12.jar:$zookeeper_jars/log4j-1.2.jar" \
        org.apache.zookeeper.server.quorum.QuorumPeerMain "$at/zoo.cfg"
}

# Where PART finds the server NUMBER of its ensemble when that leads: there, or at a proxy that it was told of.
quorum_port() { # PART NUMBER
    local routed=""
    [ ! -e "$(place "$1")/routes" ] || routed="$(sed -n "s/^$2=//p" "$(place "$1")/routes")"
    echo "${routed:-$((port_base + 23 + $2))}"
}
route_zookeeper() { # PART NUMBER=PORT…: from its next start on
    case "$1" in zookeeper-ensemble/?) ;; *) fail "route: which server of zookeeper-ensemble?" ;; esac
    mkdir -p "$(place "$1")"
    printf '%s\n' "${@:2}" >"$(place "$1")/routes"
}

zookeeper_mode() { # PART: leader, follower or standalone; nothing while it does not serve
    { exec 8<>"/dev/tcp/127.0.0.1/$(port_of "$1")" && printf srvr >&8 && timeout 2 sed -n 's/^Mode: //p' <&8; } 2>/dev/null || true
    exec 8>&- 2>/dev/null || true
}
zookeeper_answers() { [ -n "$(zookeeper_mode "$1")" ]; }
