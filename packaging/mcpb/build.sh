#!/usr/bin/env bash
# Makes a bundle for desktop apps (MCPB) of a program that has been built; one for each platform and architecture. Prints its
# path. RENDERED is what render.sh made; MCPB names the command of @anthropic-ai/mcpb, which checks and packs.
#
#   MCPB=mcpb packaging/mcpb/build.sh TARGET BINARY RENDERED OUT
set -euo pipefail

target=$1 binary=$2 rendered=$3 out=$4
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bundle=$out/mcp-tether-v$("$root/packaging/render.sh" --version)-$target.mcpb
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

program=mcp-tether
case $target in
    *windows*) platform=win32 program=mcp-tether.exe ;;
    *darwin*) platform=darwin ;;
    *) platform=linux ;;
esac
mkdir -p "$work/server" "$out"
install -m755 "$binary" "$work/server/$program"
cp "$root/packaging/mcpb/icon.png" "$root/LICENSE-MIT" "$root/LICENSE-APACHE" "$work/"
sed -e "s/PROGRAM/$program/g" -e "s/PLATFORM/$platform/g" "$rendered/mcpb/manifest.json" >"$work/manifest.json"
"${MCPB:-mcpb}" validate "$work/manifest.json" >&2
"${MCPB:-mcpb}" pack "$work" "$bundle" >&2
echo "$bundle"
