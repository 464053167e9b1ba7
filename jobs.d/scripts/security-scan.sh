#!/bin/sh
# Fails when others may write a job file or script, or may read elder's state.
. "$(dirname "$0")/common.sh"

jobs=$(cd "$(dirname "$0")/.." && pwd)
paper=$var/security/$day.txt
{
    find "$jobs" -xdev \( -type f -o -type d \) -perm -o+w -exec printf 'others may write: %s\n' {} +
    find "$ELDER_STATE_DIR" -xdev -type f -perm /o+rw -exec printf 'others may read or write: %s\n' {} +
} | replace "$paper"
if [ -s "$paper" ]; then
    cat "$paper" >&2
    exit 1
fi
echo "security scan: nothing that others may write or read"
