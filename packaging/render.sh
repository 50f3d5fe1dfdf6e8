#!/usr/bin/env bash
# Fills in what changes with a release: each `*.in` under packaging/ becomes a file of that name in OUT. The version comes
# from Cargo.toml, checksums from the release's SHA256SUMS, and the owner of the repository is the value below. Nothing else
# holds any of them.
#
#   packaging/render.sh OUT SHA256SUMS [FILE...]   render all manifests, or those files, like homebrew/mcp-tether.rb
#   packaging/render.sh --publish CHECKOUT         put the owner into Cargo.toml and README.md there, for `cargo publish`
#   packaging/render.sh --version                  print the version
#   packaging/render.sh --owner                    print the owner
#
# MCP_TETHER_OWNER takes the place of the owner, MCP_TETHER_DOWNLOADS that of the address of the release's files.
set -euo pipefail

owner=${MCP_TETHER_OWNER:-example}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")

field() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" "$root/Cargo.toml" | head -n 1; }

version=$(field version)
repository=https://github.com/$owner/mcp-tether
downloads=${MCP_TETHER_DOWNLOADS:-$repository/releases/download/v$version}

fail() {
    echo "render.sh: $1" >&2
    exit 1
}

# The crate's page shows the repository, and the MCP registry looks for a name in its README.
publish() {
    local line="repository = \"$repository\""
    if grep -q '^repository = ' "$1/Cargo.toml"; then
        sed -i "s|^repository = .*|$line|" "$1/Cargo.toml"
    else
        sed -i "/^description = /a $line" "$1/Cargo.toml"
    fi
    sed -i "s|mcp-name: io\.github\.[A-Za-z0-9-]*/|mcp-name: io.github.$owner/|" "$1/README.md"
}

# The checksum of a file of the release.
sum() {
    local found
    found=$(awk -v name="$1" '$2 == name || $2 == "*" name { print $1 }' "$sums")
    [[ $found =~ ^[0-9a-f]{64}$ ]] || fail "$sums has no checksum of $1"
    printf %s "$found"
}

render() {
    local text name
    text=$(sed -e "s|@VERSION@|$version|g" -e "s|@OWNER@|$owner|g" -e "s|@REPOSITORY@|$repository|g" \
        -e "s|@DOWNLOADS@|$downloads|g" -e "s|@DESCRIPTION@|$(field description)|g" -e "s|@LICENSE@|$(field license)|g" \
        -e "s|@RUST@|$(field rust-version)|g" "$1")
    while [[ $text =~ @SHA256:([^@]+)@ ]]; do
        name=${BASH_REMATCH[1]}
        text=${text//"@SHA256:$name@"/$(sum "$name")}
    done
    [[ ! $text =~ @[A-Z0-9]+@ ]] || fail "$1 asks for ${BASH_REMATCH[0]}, which nobody knows"
    mkdir -p "$(dirname "$2")"
    printf '%s\n' "$text" >"$2"
}

templates() {
    if (($# > 0)); then
        printf "$here/%s.in\n" "$@"
    else
        find "$here" -name '*.in' -not -path '*/node_modules/*' | sort
    fi
}

all() {
    local template file
    while IFS= read -r template; do
        file=${template#"$here"/}
        file=${file%.in}
        render "$template" "$out/${file//OWNER/$owner}"
    done < <(templates "$@")
}

case ${1-} in
    --version) echo "$version" ;;
    --owner) echo "$owner" ;;
    --publish) publish "${2:?which checkout?}" ;;
    '' | -*)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    *)
        out=$1 sums=${2:?render.sh: which SHA256SUMS?}
        [[ -r $sums ]] || fail "cannot read $sums"
        all "${@:3}"
        ;;
esac
