#!/bin/sh
# PostgreSQL in a folder, for one launch after the other. It refuses to run as root.
#
#   ./database.sh setup DIR
#   ./database.sh start DIR PORT
set -eu
for folder in /usr/lib/postgresql/*/bin; do
    PATH=$folder:$PATH
done
as_user() {
    if [ "$(id -u)" = 0 ]; then
        exec setpriv --reuid postgres --regid postgres --clear-groups "$@"
    fi
    exec "$@"
}
case $1 in
    setup)
        [ "$(id -u)" != 0 ] || chown postgres "$2"
        as_user initdb --pgdata "$2/data" --username orders --auth trust --no-sync
        ;;
    start)
        # Without statistics a search would sort all orders, and cost less beside a side that is slow to create them.
        as_user postgres -D "$2/data" -k "$2" -p "$3" -c listen_addresses=127.0.0.1 -c fsync=off -c autovacuum=off \
            -c enable_sort=off -c enable_bitmapscan=off
        ;;
esac
