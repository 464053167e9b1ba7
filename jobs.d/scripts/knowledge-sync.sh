#!/bin/sh
# Mirrors notes (*.md) into the knowledge base and writes an index of them.
. "$(dirname "$0")/common.sh"

source=$(cd "${KNOWLEDGE_SOURCE:-$(dirname "$0")/../..}" && pwd)
state=$(cd "$ELDER_STATE_DIR" && pwd)
base=$var/knowledge
mkdir -p "$base/notes"

# Hidden folders, build output and elder's own state hold no notes.
find "$source" -mindepth 1 \( -name '.*' -o -name target -o -name node_modules -o -path "$state" \) -prune \
    -o -type f -name '*.md' -size -1024k -print |
    sort | head -n 5000 >"$base/list.new"
changed=0
: >"$base/index.new"
while IFS= read -r note; do
    sum=$(sha256sum <"$note" | cut -c1-64)
    kept=$base/notes/$(printf '%s' "$sum" | cut -c1-16).md
    [ -e "$kept" ] || { cp "$note" "$kept"; changed=$((changed + 1)); }
    title=$(sed -n 's/^#\{1,\} *//p' "$note" | head -n 1)
    printf '%s\t%s\t%s\n' "$sum" "${note#"$source"/}" "$title" >>"$base/index.new"
done <"$base/list.new"
# Notes that no file holds any more go.
for kept in "$base"/notes/*.md; do
    [ -e "$kept" ] || continue
    grep -q "^$(basename "$kept" .md)" "$base/index.new" || rm -f "$kept"
done
mv "$base/index.new" "$base/index.tsv"
rm -f "$base/list.new"
echo "knowledge base: $(wc -l <"$base/index.tsv") notes, $changed new or changed"
