#!/bin/sh
# A note for the knowledge base: what ran and what failed in the last six hours.
. "$(dirname "$0")/common.sh"

name=$(printf '%s' "$ELDER_SCHEDULED_AT" | tr -d ':')
{
    echo "# What the hours before $ELDER_SCHEDULED_AT taught"
    echo
    "$ELDER_BIN" report --since 6h
    if [ -s "$var/performance.csv" ]; then
        echo
        echo "Highest one-minute load of the last samples:"
        tail -n 24 "$var/performance.csv" | grep -v '^at,' | sort -t, -k2,2nr | head -n 1
    fi
} | replace "$var/learning/$name.md"
cat "$var/learning/$name.md"
find "$var/learning" -type f -name '*.md' -mtime +90 -delete
