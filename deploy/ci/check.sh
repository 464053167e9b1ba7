#!/bin/sh
# What a pipeline says of a change to job files: the findings, and the plan as Markdown.
#
#   check.sh [PATH…]      jobs.d when none is named
#
# ELDER_AGAINST  what to compare with: git:REV, a folder, a URL [the target of the merge request]
# ELDER_PLAN     the file for the plan [plan.md]
# ELDER_FMT      anything: a file that `elder fmt` would change fails too [not looked at]
# ELDER_REPORT   a file for findings as GitLab's code quality report [none]
#
# On GitHub the findings appear on the lines of the pull request and the plan in the summary.
# Ends as `elder validate --strict` does, or with 2 where no plan could be made.
set -eu

[ "$#" -gt 0 ] || set -- jobs.d
plan=${ELDER_PLAN:-plan.md}

status=0
elder validate --strict "$@" || status=$?
[ "$status" -le 1 ] || exit "$status"
if [ -n "${ELDER_REPORT:-}" ]; then
    elder validate --format gitlab "$@" >"$ELDER_REPORT" || [ "$?" -eq 1 ]
fi
if [ -n "${ELDER_FMT:-}" ]; then
    elder fmt --check "$@" || status=1
fi

# A clone of one commit lacks what it is compared with.
if [ -n "${GITHUB_BASE_REF:-}" ]; then
    git fetch --quiet --depth=1 origin "+refs/heads/$GITHUB_BASE_REF:refs/remotes/origin/$GITHUB_BASE_REF"
elif [ -n "${CI_MERGE_REQUEST_DIFF_BASE_SHA:-}" ]; then
    git fetch --quiet --depth=1 origin "$CI_MERGE_REQUEST_DIFF_BASE_SHA"
fi
planned=0
elder plan "$@" ${ELDER_AGAINST:+--against "$ELDER_AGAINST"} --format markdown >"$plan" || planned=$?
[ "$planned" -le 1 ] || exit "$planned"
cat "$plan"
[ -z "${GITHUB_STEP_SUMMARY:-}" ] || cat "$plan" >>"$GITHUB_STEP_SUMMARY"
exit "$status"
