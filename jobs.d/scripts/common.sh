# Sourced by the scripts beside it. Needs nothing but a POSIX shell and coreutils.
set -eu

# Everything is written below elder's own state folder.
var="${ELDER_STATE_DIR:?run by elder, or set ELDER_STATE_DIR}/var"
umask 077
mkdir -p "$var"

# The day of the scheduled instant (UTC), also when the run is late.
day=${ELDER_SCHEDULED_AT%%T*}
[ -n "$day" ] || day=$(date -u +%F)

# Writes standard input to a file in one step: a reader never sees half of it.
replace() {
    mkdir -p "$(dirname "$1")"
    cat >"$1.new.$$"
    mv "$1.new.$$" "$1"
}
