#!/bin/sh
# Fails unless a dump of the last 26 hours can be read to its end.
set -eu
newest=$(find "$DUMPS" -type f -name 'shop-*.gz' -mmin -1560 | sort | tail -n 1)
[ -n "$newest" ] || { echo "no dump of the last 26 hours in $DUMPS"; exit 1; }
gzip -t "$newest"
echo "$newest is whole, $(gzip -dc "$newest" | wc -c) bytes of it"
