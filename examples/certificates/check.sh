#!/bin/sh
# check.sh DAYS: fails when a certificate named on standard input has less than that left, is past,
# or cannot be had. Looks at all of them first.
set -u
seconds=$(($1 * 86400))
bad=0
while read -r target rest; do
  case "$target" in
    '' | '#'*) continue ;;
    /*) pem=$(cat "$target" 2>&1) ;;
    *) pem=$(openssl s_client -connect "$target" -servername "${target%:*}" </dev/null 2>&1) ;;
  esac
  if ! end=$(printf '%s\n' "$pem" | openssl x509 -noout -enddate 2>/dev/null); then
    echo "$target: no certificate: $(printf '%s\n' "$pem" | head -n 1)"
    bad=1
  elif ! printf '%s\n' "$pem" | openssl x509 -noout -checkend "$seconds" >/dev/null; then
    echo "$target: ends ${end#notAfter=}"
    bad=1
  else
    echo "$target: fine until ${end#notAfter=}"
  fi
done
exit "$bad"
