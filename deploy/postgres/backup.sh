#!/usr/bin/env bash
# Makes a backup every $BACKUP_EVERY_HOURS hours in $BACKUP_DIR, and keeps the newest $BACKUP_KEEP of them:
#   backup.sh          until it is stopped
#   backup.sh once     one backup now
#   backup.sh check    fails if the newest backup is older than two intervals
# A backup that fails is tried again after five minutes; what is there is not deleted for one that failed.
set -euo pipefail

directory=${BACKUP_DIR:?the directory of the backups}
hours=${BACKUP_EVERY_HOURS:-24}
keep=${BACKUP_KEEP:-14}
if ! [[ $hours =~ ^[1-9][0-9]{0,3}$ && $keep =~ ^[1-9][0-9]{0,3}$ ]]; then
    printf 'error: BACKUP_EVERY_HOURS is %s and BACKUP_KEEP is %s: both are 1 to 9999\n' "$hours" "$keep" >&2
    exit 2
fi

# Names sort by time.
backups() { find "$directory" -maxdepth 1 -name 'lgi-mm-*.dump' | sort; }

# Seconds since the newest backup was made; nothing if there is none.
age() {
    local newest
    newest=$(backups | tail -n 1)
    [ -z "$newest" ] || echo $(($(date +%s) - $(stat -c %Y "$newest")))
}

make() {
    lgi-mm backup "$directory/lgi-mm-$(date -u +%Y%m%dT%H%M%SZ).dump" || return 1
    backups | head -n -"$keep" | xargs --no-run-if-empty rm --
}

case ${1:-} in
    once)
        make
        ;;
    check)
        seconds=$(age)
        [ -n "$seconds" ] && [ "$seconds" -le $((2 * hours * 3600)) ]
        ;;
    "")
        trap 'exit 0' TERM INT
        while true; do
            seconds=$(age)
            pause=$((hours * 3600 - ${seconds:-$((hours * 3600))}))
            if [ "$pause" -le 0 ]; then
                pause=300
                if make; then pause=$((hours * 3600)); fi
            fi
            # A sleep in the background, so that a signal ends the wait.
            sleep "$pause" &
            wait $!
        done
        ;;
    *)
        printf 'error: %s: give once, check or nothing\n' "$1" >&2
        exit 2
        ;;
esac
