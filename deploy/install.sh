#!/bin/bash
# Installs this checkout's commit on this Debian 12 machine; the first time with everything it requires. It is
# idempotent: run it again for each new commit, or after an interruption.
#
#   deploy/install.sh gas.example.tw                    the first time, with the name of the site
#   deploy/install.sh                                   an upgrade, or a downgrade from an older checkout
#   deploy/install.sh --no-systemd gas.example.tw       without systemd: everything except starting the services
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022
home=/opt/luckygas settings=/etc/luckygas
systemd=yes
if [ "${1-}" = --no-systemd ]; then systemd= && shift; fi
domain=${1-}
export DEBIAN_FRONTEND=noninteractive PIP_ROOT_USER_ACTION=ignore

say() { printf '\n== %s\n' "$*"; }

packages() {
    say "Debian's packages"
    local wanted=(ca-certificates git nginx openssl postgresql python3-venv redis-server rsync)
    dpkg-query --show "${wanted[@]}" >/dev/null 2>&1 && return
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
}

account() {
    say "The user luckygas and its directories"
    id luckygas >/dev/null 2>&1 || useradd --system --home-dir /var/lib/luckygas --shell /usr/sbin/nologin luckygas
    install -d -o luckygas -g luckygas -m 750 /var/lib/luckygas /var/lib/luckygas/media
    install -d -o luckygas -g luckygas -m 700 /var/backups/luckygas "$settings/secrets"
    install -d "$home/releases" /var/lib/luckygas-acme "$settings/tls"
    # The sockets; only nginx may connect to them.
    install -D -m 644 deploy/systemd/tmpfiles.conf /etc/tmpfiles.d/luckygas.conf
    install -d -o luckygas -g www-data -m 750 /run/luckygas
}

# The host names of the site, one per line. Quotes around several names are removed.
hosts() {
    sed -n "s/^ALLOWED_HOSTS=//p" "$settings/env" | tr -d "' " | tr , '\n'
}

# The first of these names without a wildcard: `.gas.tw` becomes `gas.tw`, and `*` is skipped.
first_host() {
    hosts | sed -e '/^\*$/d' -e 's/^\.//' | sed -n 1p
}

# All names in the syntax of nginx's server_name: `.gas.tw` stays, and `*` becomes `~.`, any name.
all_hosts() {
    hosts | sed 's/^\*$/~./' | paste -sd ' '
}

settings() {
    say "Settings in $settings/env, secrets in $settings/secrets"
    if [ ! -e "$settings/env" ]; then
        [ -n "$domain" ] || { echo "The first time, name the site: deploy/install.sh gas.example.tw" >&2; exit 2; }
        sed "s/gas\.example\.tw/$domain/g" deploy/env.example >"$settings/env.new"
        chmod 600 "$settings/env.new" && mv "$settings/env.new" "$settings/env"
    fi
    for name in SECRET_KEY MONITORING_TOKEN SMS_CALLBACK_SECRET; do
        [ -s "$settings/secrets/$name" ] || openssl rand -hex 32 | tr -d '\n' >"$settings/secrets/$name"
    done
    chown -R luckygas: "$settings/secrets" && chmod -R go= "$settings/secrets"
    domain=$(first_host)
    names=$(all_hosts)
    [ -n "$domain" ] || { echo "ALLOWED_HOSTS in $settings/env does not contain the name of the site. nginx reads it there and not from ALLOWED_HOSTS_FILE." >&2; exit 2; }
    servers=$(sed -n 's/^SERVERS=\([1-9][0-9]*\)$/\1/p' "$settings/env")
    servers=${servers:-2}
}

as_postgres() {
    (cd / && runuser --user postgres -- psql --quiet --no-psqlrc --tuples-only --no-align --command "$1")
}

database() {
    say "PostgreSQL and Redis"
    if [ -z "$systemd" ]; then
        service postgresql start && service redis-server start
    fi
    # On another machine, the administrator creates role and database.
    grep -q '^DATABASE_URL=.*host=/run/postgresql' "$settings/env" || return 0
    [ -n "$(as_postgres "SELECT 1 FROM pg_roles WHERE rolname = 'luckygas'")" ] ||
        as_postgres "CREATE ROLE luckygas LOGIN"
    # C.UTF-8 supports Chinese text and sorts the same on every machine.
    [ -n "$(as_postgres "SELECT 1 FROM pg_database WHERE datname = 'luckygas'")" ] ||
        as_postgres "CREATE DATABASE luckygas OWNER luckygas TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
}

release() {
    local commit
    commit=$(git -c safe.directory='*' rev-parse --short=12 HEAD)
    release=$home/releases/$commit
    say "The release $release"
    [ -e "$release/.venv/complete" ] && return
    rm -rf "$release" && mkdir "$release"
    git -c safe.directory='*' archive HEAD | tar -x -C "$release"
    # Debian's Python: another one may be below /root, which the service may not read.
    /usr/bin/python3 -m venv "$release/.venv"
    "$release/.venv/bin/pip" install --quiet --disable-pip-version-check -r "$release/requirements.txt"
    "$release/.venv/bin/python" -m compileall -q "$release" -x '/\.venv/'
    touch "$release/.venv/complete"
}

migrate() {
    say "Check of the settings, backup, migration of the database"
    "$release/deploy/luckygas" check --deploy --fail-level ERROR
    [ ! -e "$home/current" ] || "$release/deploy/luckygas" backup
    # A migration that waits for a lock blocks the whole site, so it fails after five seconds. Then run the script again.
    PGOPTIONS='-c lock_timeout=5s' "$release/deploy/luckygas" migrate --verbosity 1
}

switch() {
    say "Switch of $home/current to this release"
    ln -sfn "$release" "$home/current.new" && mv -T "$home/current.new" "$home/current"
    ln -sfn "$home/current/deploy/luckygas" /usr/local/bin/luckygas
    touch "$release"
}

web() {
    say "nginx for $domain"
    # A self-signed certificate until there is a real one. Browsers warn about it.
    if [ ! -e "$settings/tls/cert.pem" ]; then
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=$domain" \
            -addext "subjectAltName=DNS:$domain" -keyout "$settings/tls/key.pem" -out "$settings/tls/cert.pem" 2>/dev/null
        chmod 600 "$settings/tls/key.pem"
    fi
    nginx_conf >"$settings/nginx.conf.new"
    # A reload closes persistent connections, so skip it if nothing changed.
    if cmp -s "$settings/nginx.conf.new" "$settings/nginx.conf"; then
        rm "$settings/nginx.conf.new"
        return
    fi
    cp "$settings/nginx.conf.new" /etc/nginx/conf.d/luckygas.conf
    # Each WebSocket uses two connections, and a file descriptor for each.
    sed -i 's/worker_connections 768;/worker_connections 8192;/' /etc/nginx/nginx.conf
    echo 'worker_rlimit_nofile 20000;' >/etc/nginx/modules-enabled/90-luckygas.conf
    rm -f /etc/nginx/sites-enabled/default
    nginx -q -t || {
        # Restore the old configuration, so that a restart of nginx does not fail.
        [ ! -e "$settings/nginx.conf" ] || cp "$settings/nginx.conf" /etc/nginx/conf.d/luckygas.conf
        return 1
    }
    if [ -n "$systemd" ]; then systemctl reload-or-restart nginx; fi
    mv "$settings/nginx.conf.new" "$settings/nginx.conf"
}

# nginx.conf with this site's names and a line for each app server.
nginx_conf() {
    sed -e "s/server_name gas\.example\.tw;/server_name $names;/" -e "s/gas\.example\.tw/$domain/g" -e '/server unix:.*\/2\.sock/d' \
        -e "s|^ *server unix:.*/1\.sock.*|$(seq -s '\n' -f '    server unix:/run/luckygas/%g.sock max_fails=0;' "$servers")|" \
        deploy/nginx.conf
}

target() {
    sed "s/^Wants=luckygas-app@1.*/Wants=$(seq -s ' ' -f 'luckygas-app@%g.service' "$servers")/" deploy/systemd/luckygas.target
}

start() {
    say "systemd"
    cp -r deploy/systemd/luckygas* /etc/systemd/system/
    target >/etc/systemd/system/luckygas.target
    [ -n "$systemd" ] || { echo "Not started: systemd does not run here."; return; }
    systemctl daemon-reload
    systemctl enable --quiet luckygas.target
    systemctl start luckygas.target
    "$home/current/deploy/rolling-restart"
}

# Keeps the last five releases, for downgrades.
prune() {
    find "$home/releases" -mindepth 1 -maxdepth 1 -printf '%T@ %p\n' | sort -rn | cut -d' ' -f2- | tail -n +6 |
        while read -r old; do [ "$old" = "$release" ] || rm -rf "$old"; done
}

packages
account
settings
database
release
migrate
switch
web
start
prune
say "Done: https://$domain/"
