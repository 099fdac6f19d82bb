#!/bin/sh
# A Consul with TLS for clients that have a certificate, with access control, and with the users of the tests.
set -eu
management=00000000-0000-0000-0000-00000000aaaa
mkdir -p /consul/tls
cp /tls/ca.crt /tls/server.crt /tls/server.key /consul/tls/
chown -R consul:consul /consul/tls

fill() {
    [ ! -e /consul/data/filled ] || return 0
    export CONSUL_HTTP_TOKEN="$management"
    until consul acl policy create -name elections -rules \
        'key_prefix "leader-election/" { policy = "write" } key_prefix "tests/" { policy = "write" } session_prefix "" { policy = "write" }'; do
        sleep 0.2
    done
    consul acl policy create -name guests -rules 'key_prefix "guests/" { policy = "read" }'
    consul acl token create -policy-name elections -secret 00000000-0000-0000-0000-00000000e1ec
    consul acl token create -policy-name guests -secret 00000000-0000-0000-0000-0000000091e5
    : >/consul/data/filled
}

fill >/dev/null 2>&1 &
exec docker-entrypoint.sh agent -config-file=/compose/consul-tls.hcl
