#!/usr/bin/env bash
# packaging/render.sh VERSION OWNER/REPOSITORY SHA256SUMS FOLDER: the manifests of krew and Homebrew with a release's checksums, in FOLDER.
# A checksum that is missing ends it, with nothing written.
set -euo pipefail
version=$1 repository=$2 sums=$3 folder=$4
here=$(cd "$(dirname "$0")" && pwd)

render() {
  local text name digest
  text=$(sed -e "s|@VERSION@|$version|g" -e "s|@REPOSITORY@|$repository|g" "$here/$1")
  for name in $(grep -o '@SHA256:[^@]*@' <<<"$text" | sed 's/@SHA256:\(.*\)@/\1/' | sort -u); do
    digest=$(awk -v name="$name" '$2 == name { print $1 }' "$sums")
    [ -n "$digest" ] || { echo "render: $sums has no checksum of $name" >&2; return 1; }
    text=${text//"@SHA256:$name@"/$digest}
  done
  printf '%s\n' "$text"
}

krew=$(render krew.yaml)
formula=$(render homebrew.rb)
printf '%s\n' "$krew" > "$folder/scalelab.yaml"
printf '%s\n' "$formula" > "$folder/scalelab.rb"
