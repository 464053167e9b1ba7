#!/bin/sh
# rotate.sh FOLDER BYTES DAYS: each *.log of more than so many bytes gets a name with the time, those
# before it are compressed, and what is older than so many days goes. The program that writes is told
# by HUP, where it left its number in FOLDER/NAME.pid.
set -eu
cd "$1"
stamp=$(date -u +%Y%m%dT%H%M%SZ)
# The newest one of the last time may still be written to; by now it is not.
find . -maxdepth 1 -type f -name '*.log.*' ! -name '*.gz' -exec gzip {} +
find . -maxdepth 1 -type f -name '*.log' -size +"$2"c | while read -r log; do
  mv "$log" "$log.$stamp"
  pid="${log%.log}.pid"
  [ ! -s "$pid" ] || kill -HUP "$(cat "$pid")" || echo "nobody to tell: $pid is old"
  echo "$log is $log.$stamp"
done
find . -maxdepth 1 -type f -name '*.log.*.gz' -mtime +"$3" -print -delete
