# Part of scripts/servers: programs out of the system's packages.

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Installs packages without letting them start their daemons on the default ports.
install_packages() {
    command -v apt-get >/dev/null || fail "missing: $* (Debian's names); install them with this system's package manager"
    if [ "$(id -u)" -ne 0 ] && ! { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; then
        fail "missing: $*; run this as root once, or: sudo apt-get install $*"
    fi
    say "installing $*"
    local policy=/usr/sbin/policy-rc.d made="" unit code=0
    if [ ! -e "$policy" ]; then
        made=1
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    { as_root apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >&2 || code=$?
    [ -z "$made" ] || as_root rm -f "$policy"
    [ "$code" -eq 0 ] || fail "could not install $*"
    # Nor at the next boot: the tests have servers of their own.
    if [ -d /run/systemd/system ]; then
        for unit in "$@"; do as_root systemctl disable --quiet "${unit%-15}.service" 2>/dev/null || true; done
    fi
}

need_program() { # PROGRAM PACKAGE
    PATH="$PATH:/usr/sbin:/usr/local/sbin"
    command -v "$1" >/dev/null || install_packages "$2"
    command -v "$1" >/dev/null || fail "$1 is not in PATH, although $2 is installed"
}

# Debian keeps the server's programs out of PATH.
postgres_bin=""
need_postgres() {
    [ -z "$postgres_bin" ] || return 0
    find_postgres || { install_packages postgresql; find_postgres; } || fail "initdb is not to be found"
    need_program openssl openssl
}
find_postgres() {
    local found
    found="$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)"
    [ -n "$found" ] || { found="$(command -v initdb)" && found="$(dirname "$found")"; } || return 1
    [ -x "$found/initdb" ] && postgres_bin="$found"
}

# Valkey is in newer releases, and in bookworm's backports: unpacked beside the servers, the system's own packages stay
# as they are.
valkey_server=""
need_valkey() {
    need_program redis-cli redis-tools
    valkey_server="$(command -v valkey-server || true)"
    [ -z "$valkey_server" ] || return 0
    valkey_server="$home/packages/valkey/usr/bin/valkey-server"
    [ ! -x "$valkey_server" ] || return 0
    command -v apt-get >/dev/null || fail "valkey-server is missing; install it with this system's package manager"
    local work="$home/packages/download" suite
    mkdir -p "$work"
    say "fetching valkey"
    if ! (cd "$work" && apt-get download -qq valkey-server valkey-tools) >/dev/null 2>&1; then
        suite="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")-backports"
        suite_apt "$suite" || fail "valkey is in no package source of this machine, and neither is $suite"
        APT_CONFIG="$home/packages/apt/apt.conf" apt-get update -qq >&2 || fail "valkey: cannot read $suite"
        (cd "$work" && APT_CONFIG="$home/packages/apt/apt.conf" apt-get download -qq valkey-server valkey-tools) >&2 ||
            fail "valkey: not in $suite"
    fi
    local file
    for file in "$work"/*.deb; do dpkg -x "$file" "$home/packages/valkey.new"; done
    rm -rf "$work"
    mv "$home/packages/valkey.new" "$home/packages/valkey"
    "$valkey_server" --version >/dev/null 2>&1 || {
        install_packages redis-server # for the libraries that both use
        "$valkey_server" --version >/dev/null || fail "valkey-server does not run here"
    }
}

# A package source of its own for another suite of the archive that this machine uses already.
suite_apt() { # SUITE
    local root="$home/packages/apt" source=""
    mkdir -p "$root"/{sources.d,preferences.d,state/lists/partial,cache/archives/partial}
    : >"$root/state/status"
    if [ -e /etc/apt/sources.list.d/debian.sources ]; then
        awk -v suite="$1" 'BEGIN { RS = ""; FS = "\n" } NR == 1 {
            print "Types: deb"
            for (i = 1; i <= NF; i++) if ($i ~ /^(URIs|Components|Signed-By):/) print $i
            print "Suites: " suite }' /etc/apt/sources.list.d/debian.sources >"$root/sources.d/suite.sources"
    else
        source="$(sed -n 's/^deb \(\(\[[^]]*\] \)\{0,1\}[^ ]*\) [a-z]* main.*/\1/p' /etc/apt/sources.list 2>/dev/null | head -n 1)"
        [ -n "$source" ] || return 1
        echo "deb $source $1 main" >"$root/sources.d/suite.list"
    fi
    cat >"$root/apt.conf" <<END
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$root/sources.d";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "$root/preferences.d";
Dir::State "$root/state";
Dir::State::status "$root/state/status";
Dir::Cache "$root/cache";
APT::Sandbox::User "$(id -un)";
END
}
