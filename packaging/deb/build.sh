#!/usr/bin/env bash
# Makes a package for Debian of a program that has been built. Prints its path. RENDERED is what render.sh made.
#
#   packaging/deb/build.sh ARCHITECTURE BINARY RENDERED OUT
set -euo pipefail

architecture=$1 binary=$2 rendered=$3 out=$4
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
version=$("$root/packaging/render.sh" --version)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
umask 022

doc=$work/usr/share/doc/mcp-tether
install -Dm755 "$binary" "$work/usr/bin/mcp-tether"
install -Dm644 "$root/completions/mcp-tether.bash" "$work/usr/share/bash-completion/completions/mcp-tether"
install -Dm644 "$root/completions/mcp-tether.fish" "$work/usr/share/fish/vendor_completions.d/mcp-tether.fish"
install -Dm644 "$root/completions/_mcp-tether" "$work/usr/share/zsh/vendor-completions/_mcp-tether"
install -Dm644 -t "$work/usr/share/man/man1" "$root"/packaging/man/*.1
gzip -9n "$work"/usr/share/man/man1/*.1
install -Dm644 "$root/packaging/deb/lintian-overrides" "$work/usr/share/lintian/overrides/mcp-tether"
install -Dm644 "$root/README.md" "$doc/README.md"
gzip -9nc "$root/CHANGELOG.md" >"$doc/changelog.gz"
date=$(date -Ru -d "@${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}")
sed "s/DATE/$date/" "$rendered/deb/changelog" | gzip -9nc >"$doc/changelog.Debian.gz"
chmod 644 "$doc"/changelog*.gz

# The license's own text, indented as the format wants it, an empty line being a dot.
sed -e '1,2d' -e 's/^/ /' -e 's/^ $/ ./' "$root/LICENSE-MIT" >"$work/mit"
holder=$(sed -n 's/^Copyright (c) //p' "$root/LICENSE-MIT")
sed -e "s/^Copyright: .*/Copyright: $holder/" -e "/^MIT_TEXT$/{r $work/mit
d}" "$rendered/deb/copyright" >"$doc/copyright"
rm "$work/mit"

mkdir "$work/DEBIAN"
size=$(du -sk --exclude=DEBIAN "$work" | cut -f1)
sed -e "s/ARCHITECTURE/$architecture/" -e "s/INSTALLED_SIZE/$size/" "$rendered/deb/control" >"$work/DEBIAN/control"
(cd "$work" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$work/DEBIAN/md5sums"

mkdir -p "$out"
package=$out/mcp-tether_$version-1_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$work" "$package" >/dev/null
echo "$package"
