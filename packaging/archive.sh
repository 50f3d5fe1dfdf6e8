#!/usr/bin/env bash
# Packs a program into the archive of a release, as all channels expect it: `mcp-tether-vVERSION-TARGET.tar.gz`, or `.zip` for
# Windows, with one folder of that name in it. Prints the archive's path.
#
#   packaging/archive.sh TARGET BINARY OUT
#   packaging/archive.sh source OUT           the sources: what git knows of, as it is in the checkout
set -euo pipefail

target=$1 out=${*: -1}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
version=$("$root/packaging/render.sh" --version)
name=mcp-tether-v$version-$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
out=$(cd "$out" && pwd)

if [[ $target == source ]]; then
    git -C "$root" ls-files -z >"$work/files"
    tar -czf "$out/$name.tar.gz" -C "$root" --null -T "$work/files" --transform "s|^|mcp-tether-v$version/|" \
        --owner 0 --group 0 --numeric-owner
    echo "$out/$name.tar.gz"
    exit
fi

program=mcp-tether
[[ $target != *windows* ]] || program=mcp-tether.exe
mkdir -p "$work/$name/completions" "$work/$name/man"
cp "$root"/{README.md,CHANGELOG.md,LICENSE-MIT,LICENSE-APACHE} "$work/$name/"
cp "$root"/completions/* "$work/$name/completions/"
cp "$root"/packaging/man/*.1 "$work/$name/man/"
cp "$2" "$work/$name/$program"
chmod 755 "$work/$name/$program"

cd "$work"
if [[ $target == *windows* ]]; then
    # The runners of Windows have 7-Zip, others have zip.
    if command -v 7z >/dev/null; then
        7z a -bd -bso0 "$out/$name.zip" "$name"
    else
        zip -qr "$out/$name.zip" "$name"
    fi
    echo "$out/$name.zip"
else
    tar -czf "$out/$name.tar.gz" "$name"
    echo "$out/$name.tar.gz"
fi
