#!/bin/sh
# One line of JSON about the last hour, at the end of a file that keeps 5,000 of them.
. "$(dirname "$0")/common.sh"

file=$var/statistics.jsonl
touch "$file"
line=$("$ELDER_BIN" report --since 1h --format json | tr -d '\n')
{
    tail -n 4999 "$file"
    printf '{"at":"%s","report":%s}\n' "$ELDER_SCHEDULED_AT" "$line"
} | replace "$file"
printf '%s\n' "$line"
