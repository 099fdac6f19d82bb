# Part of scripts/servers: ZooKeeper alone, and an ensemble of three.

zookeeper_jars=/usr/share/java
need_zookeeper() {
    [ -e "$zookeeper_jars/zookeeper.jar" ] || install_packages zookeeper
    command -v java >/dev/null || install_packages default-jre-headless
    command -v java >/dev/null || fail "java is not in PATH"
}

# Ticks of 200 ms, so that sessions of 600 ms and more can be had.
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
            clientPortAddress=127.0.0.1 "clientPort=$port" "dataDir=$at/data"
        case "$part" in
        zookeeper-ensemble/*)
            for number in 1 2 3; do
                echo "server.$number=127.0.0.1:$((port_base + 23 + number)):$((port_base + 26 + number))"
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

zookeeper_mode() { # PART: leader, follower or standalone; nothing while it does not serve
    { exec 8<>"/dev/tcp/127.0.0.1/$(port_of "$1")" && printf srvr >&8 && timeout 2 sed -n 's/^Mode: //p' <&8; } 2>/dev/null || true
    exec 8>&- 2>/dev/null || true
}
zookeeper_answers() { [ -n "$(zookeeper_mode "$1")" ]; }
