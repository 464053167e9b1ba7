#!/bin/sh
# Writes one dump into $DUMPS under the fire's own instant and keeps two weeks of them.
set -eu
mkdir -p "$DUMPS"
dump="$DUMPS/shop-$(printf '%s' "$ELDER_SCHEDULED_AT" | tr -d ':').gz"
trap 'rm -f "$dump.part" "$dump.failed"' EXIT
# A pipe would hide that the dump failed, so its failure is written down.
rm -f "$dump.failed"
{ sh -c "$DUMP" || echo "$?" >"$dump.failed"; } | gzip >"$dump.part"
[ ! -e "$dump.failed" ] || { echo "the dump ended with $(cat "$dump.failed")"; exit 1; }
gzip -t "$dump.part"
sync "$dump.part"
mv "$dump.part" "$dump"
find "$DUMPS" -type f -name 'shop-*.gz' -mtime +14 ! -path "$dump" -delete
echo "$(wc -c <"$dump") bytes in $dump"
