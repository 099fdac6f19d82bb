#!/bin/sh
# An authority and a certificate for localhost, unless they are there.
set -eu
[ ! -e /tls/server.crt ] || exit 0
cd /tls
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=election tests" -keyout ca.key -out ca.crt
openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >extensions
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -out server.new -extfile extensions
chmod 600 ca.key server.key
mv server.new server.crt
