#!/bin/sh
# A database in a folder. The servers of SQL refuse to run as root.
#
#   database.sh KIND setup DIR
#   database.sh KIND start DIR PORT
set -eu
for folder in /usr/lib/postgresql/*/bin; do
    PATH=$folder:$PATH
done
kind=$1
user=$kind
[ "$kind" = postgresql ] && user=postgres
[ "$kind" = mariadb ] && user=mysql
as_user() {
    if [ "$(id -u)" = 0 ]; then
        exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
    fi
    exec "$@"
}
case $2-$kind in
    setup-redis) ;;
    setup-*) [ "$(id -u)" != 0 ] || chown "$user" "$3" ;;
esac
case $2-$kind in
    setup-postgresql) as_user initdb --pgdata "$3/data" --username orders --auth trust --no-sync ;;
    setup-mariadb)
        # A statement a line: the server reads no others.
        printf '%s\n' 'CREATE DATABASE IF NOT EXISTS test;' "CREATE USER IF NOT EXISTS orders@'127.0.0.1';" \
            "GRANT ALL ON test.* TO orders@'127.0.0.1';" >"$3/first.sql"
        as_user mariadb-install-db --no-defaults --datadir="$3/data" --auth-root-authentication-method=normal \
            --skip-test-db
        ;;
    start-postgresql)
        as_user postgres -D "$3/data" -k "$3" -p "$4" -c listen_addresses=127.0.0.1 -c fsync=off -c autovacuum=off \
            -c shared_preload_libraries=pg_stat_statements -c pg_stat_statements.max=1000
        ;;
    start-mariadb)
        as_user mariadbd --no-defaults --datadir="$3/data" --socket="$3/socket" --port="$4" --bind-address=127.0.0.1 \
            --skip-name-resolve --init-file="$3/first.sql" --innodb-flush-log-at-trx-commit=0 --pid-file="$3/pid"
        ;;
    start-redis) exec redis-server --port "$4" --bind 127.0.0.1 --dir "$3" --save '' ;;
esac
