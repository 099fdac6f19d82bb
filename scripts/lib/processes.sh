# Part of scripts/servers: directories, ports, processes.

# Whom the servers run as: PostgreSQL refuses root, and nothing here needs it.
run_as=()
user=""
if [ "$(id -u)" -eq 0 ]; then
    user=nobody
    run_as=(setpriv "--reuid=nobody" "--regid=$(id -gn nobody)" --clear-groups env HOME=/tmp)
fi

home=""      # of everything
directory="" # of this set
choose_directory() {
    home="${ELECTION_SERVERS_DIR:-$(pwd -P)/.build/servers}"
    mkdir -p "$home" 2>/dev/null || fail "cannot make $home; name another directory in ELECTION_SERVERS_DIR"
    home="$(cd "$home" && pwd -P)"
    if [ -n "$user" ] && ! "${run_as[@]}" test -x "$home"; then
        local name other="${TMPDIR:-/tmp}/election-servers-$(printf %s "$home" | cksum | cut -d ' ' -f 1)"
        [ "$command" != up ] || say "the user $user cannot enter $home: using $other"
        mkdir -p "$other"
        # So that tests find these where they always are.
        for name in tls packages; do [ -e "$home/$name" ] || ln -sfn "$other/$name" "$home/$name"; done
        home="$other"
    fi
    [ -w "$home" ] || fail "$home belongs to another user; name another directory in ELECTION_SERVERS_DIR"
    directory="$home/${instance:-common}"
    mkdir -p "$directory"
}
place() { echo "$directory/$1"; } # PART

# One call at a time for each set; the servers must not inherit it.
lock() {
    exec 9>"$home/${instance:-common}.lock"
    flock -w 120 9 || fail "another scripts/servers has been busy with this set for two minutes"
}

# The ports of a set stay the same for its life. A private set takes a hundred that nobody on this machine has taken.
reservations="/tmp/election-ports"
choose_ports() {
    local given="$port_base" base owner_of_it
    [ -e "$directory/ports" ] && port_base="$(cat "$directory/ports")"
    if [ -n "$given" ] && [ "$given" != "$port_base" ]; then
        [ -z "$port_base" ] || [ ! -e "$directory/ports" ] ||
            ! ls "$directory"/*/pid "$directory"/*/*/pid >/dev/null 2>&1 ||
            fail "this set has the ports from $port_base on; end it before it moves to $given"
        port_base="$given"
    elif [ -z "$port_base" ] && [ -z "$instance" ]; then
        port_base=24000
    elif [ -z "$port_base" ]; then
        mkdir -p "$reservations" 2>/dev/null && chmod 1777 "$reservations" 2>/dev/null || true
        for base in $(seq 24100 100 28900 | shuf); do
            if ! mkdir "$reservations/$base" 2>/dev/null; then
                # Left behind by a set that is gone?
                owner_of_it="$(cat "$reservations/$base/set" 2>/dev/null || true)"
                [ -n "$owner_of_it" ] && [ ! -e "$owner_of_it" ] || continue
                [ -w "$reservations/$base" ] || continue
            fi
            echo "$directory" >"$reservations/$base/set" 2>/dev/null || continue
            if listens_in "$base"; then continue; fi
            port_base="$base"
            break
        done
        [ -n "$port_base" ] || fail "no hundred free ports from 24100 to 28999; see $reservations"
    fi
    [ "$port_base" -ge 1024 ] && [ "$port_base" -le 32600 ] ||
        fail "--port-base: 1024 to 32600; ports above belong to outgoing connections"
    echo "$port_base" >"$directory/ports"
}
listens_in() { # BASE: does anything listen on one of its hundred ports?
    awk -v base="$1" 'function number(hex,   i, n) {
            for (i = 1; i <= length(hex); i++) n = n * 16 + index("0123456789ABCDEF", substr(hex, i, 1)) - 1
            return n }
        $4 == "0A" { n = split($2, part, ":"); p = number(part[n]); if (p >= base && p < base + 100) found = 1 }
        END { exit !found }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}
remove_instance() {
    rm -rf "$directory"
    [ "$(cat "$reservations/$port_base/set" 2>/dev/null)" != "$directory" ] || rm -rf "${reservations:?}/$port_base"
    rm -f "$home/$instance.lock"
}

# --- processes: known by their id and the instant of their start, so that a number that was given anew is no mistake ---
started_at() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
pid_of() { cut -d ' ' -f 1 "$(place "$1")/pid" 2>/dev/null; }
process_state() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 1; }
is_alive() { # PID, no matter whose: neither gone nor waiting to be reaped
    case "$(process_state "$1")" in "" | Z | X) return 1 ;; esac
}
is_up() { # PART
    local pid born
    { read -r pid born <"$(place "$1")/pid"; } 2>/dev/null || return 1
    [ -n "$born" ] && [ "$(started_at "$pid")" = "$born" ] && is_alive "$pid"
}
is_frozen() { is_up "$1" && [ "$(process_state "$(pid_of "$1")")" = T ]; }
state_of() { if is_frozen "$1"; then echo stopped; elif is_up "$1"; then echo up; else echo down; fi; }

launch() { # PART PROGRAM ARG…
    local part="$1" pid
    shift
    if answers "$(port_of "$part")"; then
        fail "$part: another program listens on port $(port_of "$part"); choose others with --port-base N"
    fi
    setsid "${run_as[@]}" "$@" >>"$(place "$part")/log" 2>&1 </dev/null 9>&- &
    pid=$!
    disown "$pid"
    echo "$pid $(started_at "$pid")" >"$(place "$part")/pid"
}
give() { # what the server must be able to write
    [ -z "$user" ] || chown -R "$user" "$@"
}
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; } # PORT

# PostgreSQL is many processes: its children count as well.
family() {
    local children child
    echo "$1"
    children="$(cat "/proc/$1/task/"*/children 2>/dev/null)" || true
    for child in $children; do family "$child"; done
}
signal() { # NAME PART
    local pid
    pid="$(pid_of "$2")"
    # A process that stands still makes no further children.
    if [ "$1" = KILL ] || [ "$1" = STOP ]; then kill -STOP "$pid" 2>/dev/null || true; fi
    signalled="$(family "$pid")"
    kill "-$1" $signalled 2>/dev/null || true
}
await_end() { # PART
    local deadline=$((SECONDS + 15))
    while is_up "$1"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.02
    done
    rm -f "$(place "$1")/pid"
}
end() { # PART: politely, then not
    local polite=TERM
    is_up "$1" || { rm -f "$(place "$1")/pid"; return 0; }
    signal CONT "$1"
    case "$1" in postgres*) polite=INT ;; pgbouncer) polite=TERM ;; esac
    kill "-$polite" "$(pid_of "$1")" 2>/dev/null || true
    await_end "$1" || { signal KILL "$1"; await_end "$1"; } || fail "$1 does not end"
}

# A test that is killed cannot clean up; this does it for it.
watch_owner() {
    local born
    born="$(started_at "$owner")"
    [ -n "$born" ] || fail "--owner: there is no process $owner"
    [ ! -e "$directory/owner" ] || return 0
    echo "$owner" >"$directory/owner"
    (
        exec 9>&- </dev/null >/dev/null 2>&1
        trap '' HUP
        while [ -e "$directory/owner" ] && [ "$(started_at "$owner")" = "$born" ]; do sleep 1; done
        [ ! -e "$directory/owner" ] || exec scripts/servers --instance "$instance" down
    ) &
    disown
}
