#!/bin/sh
# nginx for the tests, unpacked from Debian's package into a directory: nothing is installed and nothing is started.
# Usage: unpack_nginx.sh DIRECTORY
set -eu

nginx=$(PATH=$PATH:/usr/sbin command -v nginx) && { echo "nginx: $nginx"; exit 0; }
if ! command -v apt-get >/dev/null; then
    echo "The tests need an nginx: install it." >&2
    exit 1
fi
directory=$(mkdir -p "$1" && cd "$1" && pwd)
# Without package lists, which only root can fetch, nothing can be downloaded.
[ "$(id -u)" -ne 0 ] || apt-get update -qq
cd "$directory"
apt-get download -qq -o APT::Sandbox::User=root nginx
dpkg-deb --extract nginx_*.deb .
command -v openssl >/dev/null || apt-get install -y -qq openssl >/dev/null
