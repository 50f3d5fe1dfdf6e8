#!/usr/bin/env bash
# Lays out the npm packages: one with the launcher, and one for each platform whose archive is in ARCHIVES. RENDERED is what
# render.sh made. `npm pack` or `npm publish` then takes each folder of OUT, the launcher's last.
#
#   packaging/npm/assemble.sh ARCHIVES RENDERED OUT
set -euo pipefail

archives=$1 rendered=$2 out=$3
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
version=$("$root/packaging/render.sh" --version)

licences() { cp "$root/LICENSE-MIT" "$root/LICENSE-APACHE" "$1/"; }

platform() {
    local target=$1 platform=$2 architecture=$3 program=mcp-tether
    local name=mcp-tether-v$version-$target folder=$out/mcp-tether-$platform-$architecture
    if [[ $platform == win32 ]]; then
        program=mcp-tether.exe
        [[ -r $archives/$name.zip ]] || return 0
        mkdir -p "$folder/bin"
        unzip -qjo "$archives/$name.zip" "$name/$program" -d "$folder/bin"
    else
        [[ -r $archives/$name.tar.gz ]] || return 0
        mkdir -p "$folder/bin"
        tar -xzf "$archives/$name.tar.gz" -C "$folder/bin" --strip-components=1 "$name/$program"
    fi
    chmod 755 "$folder/bin/$program"
    sed -e "s/PLATFORM/$platform/g" -e "s/ARCHITECTURE/$architecture/g" \
        "$rendered/npm/platform/package.json" >"$folder/package.json"
    licences "$folder"
}

# musl: it runs on any distribution, Alpine included.
platform x86_64-unknown-linux-musl linux x64
platform aarch64-unknown-linux-musl linux arm64
platform x86_64-apple-darwin darwin x64
platform aarch64-apple-darwin darwin arm64
platform x86_64-pc-windows-msvc win32 x64
platform aarch64-pc-windows-msvc win32 arm64

mkdir -p "$out/mcp-tether/bin"
cp "$rendered/npm/package.json" "$out/mcp-tether/"
install -m755 "$root/packaging/npm/bin/mcp-tether.js" "$out/mcp-tether/bin/"
cp "$root/README.md" "$out/mcp-tether/"
licences "$out/mcp-tether"
