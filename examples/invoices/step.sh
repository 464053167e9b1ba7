#!/bin/sh
# step.sh WHAT INSTANT: in the place of your billing program. The month that it is about follows from
# the fire's instant and not from the clock, so a late run and a second attempt are about the same.
set -eu
echo "$1 for ${2%%T*}"
