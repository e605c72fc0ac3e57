#!/bin/sh
# Installs a headless Chromium and a font with Chinese for the tests, on Debian 12 or later. Does nothing if a Chromium is
# installed.
set -eu

have() { command -v "$1" >/dev/null; }
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
    if have "$name"; then
        echo "Browser: $(command -v "$name")"
        exit 0
    fi
done
if ! have apt-get || [ "$(id -u)" -ne 0 ]; then
    echo "The tests need a Chromium: as root, apt-get install chromium-headless-shell fonts-wqy-microhei" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# The shell alone is half the size; older releases have the whole browser only.
package=chromium-headless-shell
apt-cache show "$package" >/dev/null 2>&1 || package=chromium
apt-get install -y -qq --no-install-recommends "$package" fonts-wqy-microhei >/dev/null
