#!/bin/sh
# The council's agenda: the day's report, the newest digest, what the last scan found.
. "$(dirname "$0")/common.sh"

newest() { find "$1" -type f 2>/dev/null | sort | tail -n 1; }
{
    echo "# Council of $day"
    for part in reports learning security; do
        paper=$(newest "$var/$part")
        [ -n "$paper" ] || continue
        printf '\n## %s (%s)\n\n' "$part" "$(basename "$paper")"
        head -n 60 "$paper"
    done
} | replace "$var/council/$day.md"
echo "council: agenda of $(grep -c '' "$var/council/$day.md") lines in $var/council/$day.md"
