#!/bin/sh
# One line about load, memory and the disk of elder's state, in a file that keeps 5,000 of them.
. "$(dirname "$0")/common.sh"

file=$var/performance.csv
touch "$file"
read -r load1 load5 load15 _ </proc/loadavg
memory=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
disk=$(df -Pk "$ELDER_STATE_DIR" | awk 'NR == 2 {print $4}')
line="$ELDER_SCHEDULED_AT,$load1,$load5,$load15,$memory,$disk"
{
    echo "at,load_1m,load_5m,load_15m,memory_available_kib,disk_free_kib"
    grep -v '^at,' "$file" | tail -n 4999 || true
    echo "$line"
} | replace "$file"
echo "load $load1 $load5 $load15, memory available $memory KiB, disk free $disk KiB"
