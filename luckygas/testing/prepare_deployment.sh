#!/bin/sh
# Installs the programs that the tests of deploy/ need, unless they are there, on Debian 12 or later. nginx is not
# installed, which would start it, but unpacked into DIRECTORY. Usage: prepare_deployment.sh DIRECTORY
set -eu

have() { PATH=$PATH:/usr/sbin command -v "$1" >/dev/null; }
if have nginx && have rsync && have openssl; then exit 0; fi
if ! have apt-get || [ "$(id -u)" -ne 0 ]; then
    echo "The tests need nginx, openssl and rsync: install them, or run this as root on Debian." >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends openssl rsync >/dev/null
have nginx && exit 0
mkdir -p "$1" && cd "$1"
apt-get download -qq -o APT::Sandbox::User=root nginx
dpkg-deb --extract nginx_*.deb .
