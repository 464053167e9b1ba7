#!/bin/sh
# The whole loop on one machine, in a folder that is thrown away: a commit is checked and planned,
# merged, applied and waited for; a bad one is refused while the old jobs run on; a mass removal is
# held; a revert brings it back. Each step prints what it does and what came of it.
#
#   ./loop.sh            needs git, and elder on the PATH (or ELDER=/path/to/elder)
set -eu

elder=${ELDER:-elder}
port=${PORT:-8765}
work=$(mktemp -d)
server="http://127.0.0.1:$port"
daemon=

finish() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    [ -z "$daemon" ] || wait "$daemon" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

step() { printf '\n== %s\n' "$1"; }
git() { command git -c user.name=loop -c user.email=loop@example.com "$@"; }
fails() { # fails STATUS COMMAND…: goes on only where the command ends so
    wanted=$1
    shift
    status=0
    "$@" || status=$?
    [ "$status" = "$wanted" ] || { echo "ended $status, not $wanted: $*" >&2; exit 1; }
}

step "a repository with job files, as a team has it"
git init -q -b main "$work/team"
cd "$work/team"
mkdir jobs.d
for job in export report tidy; do
    cat >"jobs.d/$job.yaml" <<YAML
jobs:
  $job: { schedule: { daily: "02:00" }, timezone: Asia/Tokyo, run: "echo $job" }
YAML
done
cat >jobs.d/pulse.yaml <<YAML
jobs:
  pulse: { schedule: { every: 1s }, run: "echo alive" }
YAML
git add . && git commit -q -m "Four jobs"

step "elder runs a clone of it, as the machine in production does"
git clone -q "$work/team" "$work/live"
ELDER_LISTEN="127.0.0.1:$port" "$elder" run "$work/live/jobs.d" --state "$work/state" --log-level error &
daemon=$!
export ELDER_SERVER="$server" ELDER_STATE="$work/state"
"$elder" wait --revision "$(git rev-parse HEAD)" --timeout 30s
kill -0 "$daemon" # a port that is taken ends it: name another with PORT

step "a branch changes a job: CI validates and plans it"
git checkout -q -b later
cat >jobs.d/export.yaml <<YAML
jobs:
  export: { schedule: { daily: "03:00" }, timezone: Asia/Tokyo, run: "echo export", timeout: 10m }
YAML
git commit -q -a -m "Export later, and no longer than ten minutes"
"$elder" validate --strict
"$elder" plan --against git:main --format markdown
fails 3 "$elder" plan --against "$server" --exit-code

step "merge and pull: the daemon applies it"
git checkout -q main && git merge -q later
git -C "$work/live" pull -q
"$elder" wait --revision "$(git rev-parse HEAD)"
"$elder" next export --from 2027-01-01T00:00:00Z -n 1

step "a bad commit gets through: it is refused, and the old jobs run on"
sed -i 's/daily/dayly/' jobs.d/export.yaml
git commit -q -a -m "A typo"
fails 1 "$elder" validate
git -C "$work/live" pull -q
fails 1 "$elder" wait --revision "$(git rev-parse HEAD)"
"$elder" trigger export --wait

step "its revert is in force at once"
git revert --no-edit HEAD >/dev/null
git -C "$work/live" pull -q
"$elder" wait --revision "$(git rev-parse HEAD)"

step "a commit removes nearly everything: the removals are held, the jobs go on"
git rm -q jobs.d/export.yaml jobs.d/report.yaml jobs.d/tidy.yaml
git commit -q -m "Oops"
"$elder" plan --against git:HEAD~1
git -C "$work/live" pull -q
fails 1 "$elder" wait --revision "$(git rev-parse HEAD)"
"$elder" trigger tidy --wait

step "and its revert frees them"
git revert --no-edit HEAD >/dev/null
git -C "$work/live" pull -q
"$elder" wait --revision "$(git rev-parse HEAD)"

step "all of it, seen from the outside"
"$elder" report --since 1h
