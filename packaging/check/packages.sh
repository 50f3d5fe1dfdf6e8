# shellcheck shell=bash disable=SC2154
# Checks of what package managers install. Sourced by check.sh.

the_debian_package_is_built_installed_run_and_removed() {
    local package installed given=()
    if dpkg -s mcp-tether >/dev/null 2>&1; then
        echo "mcp-tether is installed on this machine: remove it first"
        return 1
    fi
    package=$(packaging/deb/build.sh amd64 "$MCP_TETHER_BINARY" "$rendered" "$work/deb")
    dpkg-deb -I "$package"
    # What only a program for development is guilty of.
    [[ $MCP_TETHER_BINARY == */release/* ]] || given=(--suppress-tags "unstripped-binary-or-object,undeclared-elf-prerequisites")
    lintian --allow-root --fail-on error,warning --tag-display-limit 0 "${given[@]}" "$package"
    # shellcheck disable=SC2064 # the package that is known now
    trap 'as_root dpkg --purge mcp-tether >/dev/null 2>&1 || true' EXIT
    as_root dpkg -i "$package"
    diff <(/usr/bin/mcp-tether --version) <(echo "mcp-tether $version")
    node packaging/check/talk.mjs ping /usr/bin/mcp-tether '{url}'
    installed=$(dpkg -L mcp-tether)
    for file in share/bash-completion/completions/mcp-tether share/fish/vendor_completions.d/mcp-tether.fish \
        share/zsh/vendor-completions/_mcp-tether share/man/man1/mcp-tether.1.gz share/man/man1/mcp-tether-login.1.gz \
        share/doc/mcp-tether/copyright share/doc/mcp-tether/changelog.gz; do
        grep -qx "/usr/$file" <<<"$installed" || { echo "no $file" && return 1; }
    done
    as_root dpkg -r mcp-tether
    [[ ! -e /usr/bin/mcp-tether ]]
}

the_rpm_package_is_built_and_holds_what_it_should() {
    local package
    # The archive for musl, as the spec wants it.
    rpmspec -P "$rendered/rpm/mcp-tether.spec" >/dev/null
    rpmbuild -bb --quiet --target x86_64 --define "_topdir $work/rpm" --define "_sourcedir $archives" \
        --define "_dbpath $work/rpmdb" "$rendered/rpm/mcp-tether.spec"
    package=$(echo "$work"/rpm/RPMS/x86_64/mcp-tether-"$version"-1*.x86_64.rpm)
    rpm --dbpath "$work/rpmdb" -qlp "$package"
    rpm --dbpath "$work/rpmdb" -qlp "$package" | grep -x /usr/bin/mcp-tether
    mkdir "$work/rpm/out"
    (cd "$work/rpm/out" && rpm2cpio "$package" | bsdtar -xf -)
    cmp "$work/rpm/out/usr/bin/mcp-tether" "$MCP_TETHER_BINARY"
    [[ -e $work/rpm/out/usr/share/man/man1/mcp-tether.1 || -e $work/rpm/out/usr/share/man/man1/mcp-tether.1.gz ]]
}

# makepkg refuses to run as root, and wants to know a pacman, which it needs for dependencies only.
unprivileged() {
    if ((EUID == 0)); then
        chown -R 65534:65534 "$work/aur"
        setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$work/aur" PACMAN=true "$@"
    else
        PACMAN=true "$@"
    fi
}

arch_folder() {
    rm -rf "$work/aur"
    mkdir -p "$work/aur"
    cp "$rendered/aur/$1" "$work/aur/PKGBUILD"
    bash -n "$work/aur/PKGBUILD"
}

the_arch_packages_are_described() {
    local suffix
    for suffix in '' -bin; do
        arch_folder "PKGBUILD$suffix"
        (cd "$work/aur" && unprivileged makepkg --printsrcinfo) >"$work/srcinfo"
        if [[ -n ${BLESS-} ]]; then
            unrender "$work/srcinfo" >"packaging/aur/.SRCINFO$suffix.in"
            packaging/render.sh "$rendered" "$archives/SHA256SUMS"
        fi
        diff "$rendered/aur/.SRCINFO$suffix" "$work/srcinfo"
    done
}

# Makes a template of what was made of a template.
unrender() {
    local sum name text
    text=$(sed "s|https://github.com/$(packaging/render.sh --owner)/mcp-tether/releases/download/v$version|@DOWNLOADS@|g" "$1")
    text=${text//"https://github.com/$(packaging/render.sh --owner)/mcp-tether"/@REPOSITORY@}
    while read -r sum name; do
        text=${text//"$sum"/"@SHA256:${name//"$version"/@VERSION@}@"}
    done <"$archives/SHA256SUMS"
    text=${text//"$(sed -n 's/^description = "\(.*\)"/\1/p' Cargo.toml)"/@DESCRIPTION@}
    printf '%s\n' "${text//"$version"/@VERSION@}"
}

# Out of the archive for musl, as Arch would get it.
the_arch_package_is_built() {
    local package
    MCP_TETHER_DOWNLOADS=file://$archives packaging/render.sh "$work/local" "$archives/SHA256SUMS"
    chmod -R a+rX "$archives"
    arch_folder PKGBUILD-bin
    cp "$work/local/aur/PKGBUILD-bin" "$work/aur/PKGBUILD"
    (cd "$work/aur" && unprivileged makepkg --nodeps --noconfirm)
    package=$work/aur/mcp-tether-bin-$version-1-x86_64.pkg.tar.gz
    bsdtar -tf "$package"
    bsdtar -xOf "$package" usr/bin/mcp-tether | cmp - "$MCP_TETHER_BINARY"
    bsdtar -tf "$package" | grep -x usr/share/man/man1/mcp-tether.1.gz
}

nix_can_read_its_files() {
    local file
    for file in packaging/nix/*.nix; do
        nix-instantiate --parse "$file" >/dev/null
    done
    # The one expression that needs nothing of nixpkgs.
    diff <(nix-instantiate --eval -E "(builtins.fromTOML (builtins.readFile $PWD/Cargo.toml)).package.version" 2>/dev/null) \
        <(echo "\"$version\"")
}

the_formulas_work() {
    local name source=$work/source
    mkdir -p "$source"
    tar -xzf "$archives/mcp-tether-v$version-source.tar.gz" -C "$source" --strip-components=1
    # The stand-in for cargo puts nothing anywhere: the program is here already.
    cp "$MCP_TETHER_BINARY" "$source/mcp-tether"
    ruby -wc "$rendered/homebrew/mcp-tether.rb"
    ruby packaging/check/formula.rb "$rendered/homebrew/mcp-tether.rb" "$version" "$source"
    name=mcp-tether-v$version-x86_64-unknown-linux-musl
    tar -xzf "$archives/$name.tar.gz" -C "$work"
    ruby -wc "$rendered/homebrew/mcp-tether-bin.rb"
    ruby packaging/check/formula.rb "$rendered/homebrew/mcp-tether-bin.rb" "$version" "$work/$name"
}

the_manifest_is_right() {
    /usr/bin/python3 packaging/check/manifests.py "$rendered" "$archives" "$1"
}

# The packages of npm for this machine, in a prefix of their own, without a network.
npm_prefix() {
    local folder
    [[ ! -d $work/npm/prefix ]] || return 0
    packaging/npm/assemble.sh "$archives" "$rendered" "$work/npm/packages"
    mkdir -p "$work/npm/prefix" "$work/npm/tarballs"
    for folder in mcp-tether mcp-tether-linux-x64; do
        (cd "$work/npm/packages/$folder" && npm pack --silent --pack-destination "$work/npm/tarballs")
    done
    (cd "$work/npm/prefix" && npm install --offline --silent --no-save --no-fund --no-audit "$work"/npm/tarballs/*.tgz)
}

the_npm_packages_install_and_run() {
    local launcher=$work/npm/prefix/node_modules/.bin/mcp-tether folder
    npm_prefix
    diff <("$launcher" --version) <(echo "mcp-tether $version")
    diff <(cd "$work/npm/prefix" && npx --offline mcp-tether --version) <(echo "mcp-tether $version")
    node packaging/check/talk.mjs ping "$launcher" '{url}'
    # One package for each platform that the launcher names, and none that it does not.
    diff <(cd "$work/npm/packages" && ls -d mcp-tether-*) \
        <(node -p 'Object.keys(require(process.argv[1]).optionalDependencies).sort().join("\n")' "$rendered/npm/package.json")
    for folder in "$work"/npm/packages/*; do
        grep -q "\"version\": \"$version\"" "$folder/package.json"
        if grep -q '"\(pre\|post\)\?install"' "$folder/package.json"; then return 1; fi
    done
}

the_npm_launcher_forwards_signals_and_exit_codes() {
    local launcher=$work/npm/prefix/node_modules/.bin/mcp-tether status=0 direct=0
    npm_prefix
    "$MCP_TETHER_BINARY" --no-such >"$work/direct" 2>&1 || direct=$?
    "$launcher" --no-such >"$work/launched" 2>&1 || status=$?
    ((status == 2 && direct == 2))
    diff "$work/direct" "$work/launched"
    node packaging/check/talk.mjs signal "$launcher" '{url}' | grep -x 'SIGTERM reached 1 below'
}

the_npm_launcher_says_what_is_missing() {
    local said status=0
    npm_prefix
    mkdir -p "$work/npm/bare"
    cp -r "$work/npm/packages/mcp-tether" "$work/npm/bare/"
    said=$(node "$work/npm/bare/mcp-tether/bin/mcp-tether.js" 2>&1 >/dev/null) || status=$?
    ((status == 1))
    grep -q 'the package mcp-tether-linux-x64 is not installed' <<<"$said"
    grep -q '^hint: ' <<<"$said"
}

the_icon_is_drawn() {
    /usr/bin/python3 packaging/mcpb/icon.py "$work/icon.png"
    # Another zlib packs other bytes; the pixels are the same.
    /usr/bin/python3 - "$work/icon.png" packaging/mcpb/icon.png <<'EOF'
import sys, zlib
def pixels(path):
    data = open(path, "rb").read()
    at = data.index(b"IDAT")
    return data[16:24], zlib.decompress(data[at + 4 : at + 4 + int.from_bytes(data[at - 4 : at], "big")])
assert pixels(sys.argv[1]) == pixels(sys.argv[2])
EOF
}

the_bundle_is_packed_unpacked_and_run() {
    local bundle
    bundle=$(MCPB=packaging/check/node_modules/.bin/mcpb packaging/mcpb/build.sh x86_64-unknown-linux-musl \
        "$MCP_TETHER_BINARY" "$rendered" "$work/mcpb" | tail -n 1)
    mkdir -p "$work/bundle"
    unzip -q "$bundle" -d "$work/bundle"
    # Desktop apps unpack with modes or without.
    chmod +x "$work/bundle/server/mcp-tether"
    node packaging/check/talk.mjs bundle "$work/bundle" packaging/check/node_modules/@anthropic-ai/mcpb/dist/index.js
}
