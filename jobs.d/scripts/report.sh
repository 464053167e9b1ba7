#!/bin/sh
# report.sh NAME SPAN: a report from elder's own history.
. "$(dirname "$0")/common.sh"

name=$1
span=$2
"$ELDER_BIN" report --since "$span" | replace "$var/reports/$name-$day.txt"
cat "$var/reports/$name-$day.txt"
find "$var/reports" -type f -name "$name-*.txt" -mtime +90 -delete
