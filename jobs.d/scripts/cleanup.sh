#!/bin/sh
# Deletes files older than CLEANUP_DAYS in CLEANUP_DIRS, never across a mount, never a folder itself.
. "$(dirname "$0")/common.sh"

days=${CLEANUP_DAYS:-7}
mkdir -p "$var/tmp"
if [ -z "${CLEANUP_DIRS:-}" ]; then
    set -- "$var/tmp"
else
    # shellcheck disable=SC2086  # a list, separated by blanks
    set -- $CLEANUP_DIRS
fi
for folder; do
    case $folder in
    / | /bin* | /boot* | /dev* | /etc* | /lib* | /proc* | /sbin* | /sys* | /usr*)
        echo "cleanup: $folder is not for cleaning" >&2
        exit 2
        ;;
    esac
    if [ ! -d "$folder" ]; then
        echo "cleanup: $folder is no folder" >&2
        exit 2
    fi
    gone=$(find "$folder" -xdev -type f -mtime "+$days" -print -delete | wc -l)
    echo "cleanup: $gone files older than $days days deleted in $folder"
done
