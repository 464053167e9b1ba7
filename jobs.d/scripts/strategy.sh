#!/bin/sh
# The week's papers on one page: weekly report, agendas, scan.
. "$(dirname "$0")/common.sh"

paper=$var/strategy/$day.md
{
    echo "# Strategy of the week before $day"
    for folder in reports council learning security; do
        [ -d "$var/$folder" ] || continue
        find "$var/$folder" -type f -mtime -7 | sort | while IFS= read -r file; do
            printf '\n## %s\n\n' "${file#"$var"/}"
            head -n 40 "$file"
        done
    done
} | replace "$paper"
echo "strategy: $(grep -c '^## ' "$paper" || true) papers on $paper"
