#!/bin/sh
# An online copy of elder's store; copies older than BACKUP_RETENTION_DAYS go, the newest always stays.
. "$(dirname "$0")/common.sh"

keep=${BACKUP_RETENTION_DAYS:-7}
folder=$ELDER_STATE_DIR/backups
mkdir -p "$folder"
# Named by the scheduled instant: a further attempt of the same run replaces its own copy.
copy=$folder/elder-$(printf '%s' "$ELDER_SCHEDULED_AT" | tr -d ':').db
rm -f "$copy"
"$ELDER_BIN" backup "$copy"
gone=$(find "$folder" -maxdepth 1 -type f -name 'elder-*.db' -mtime "+$((keep - 1))" ! -path "$copy" -print -delete | wc -l)
echo "backup: $copy ($(wc -c <"$copy") bytes), $gone older than $keep days deleted"
