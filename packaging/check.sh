#!/usr/bin/env bash
# Checks all that is made of the program for others to install, as far as that goes without their servers: packages are
# built, installed, run and removed, manifests are read by the tools that they are for. Ends at the first failure.
#
# The program is built once, static; MCP_TETHER_BINARY names one that has been built. What a check needs of the system is
# installed from Debian. MCP_TETHER_CHECK=PATTERN runs the checks whose names match only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source .ci/needs.sh
source packaging/check/shells.sh
source packaging/check/packages.sh
source packaging/check/sources.sh

export CARGO_TERM_COLOR=never NO_COLOR=1 npm_config_update_notifier=false npm_config_cache
static=x86_64-unknown-linux-gnu
version=$(packaging/render.sh --version)
work=$(mktemp -d)
chmod 755 "$work"
npm_config_cache=$work/npm-cache
# What whoever runs this has set and signed in to is no matter here.
export MCP_TETHER_HOME=$work/home
archives=$work/archives rendered=$work/rendered
passed=0 skipped=0 background=

leave() {
    local status=$?
    trap - EXIT
    [[ -z $background ]] || kill "$background" 2>/dev/null || true
    # What could not be removed belongs to root.
    rm -rf "$work" 2>/dev/null || true
    exit "$status"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Runs a function as one check, in a shell of its own so that `set -e` counts; its name is its sentence.
check() {
    local log=$work/log started=$SECONDS status=0
    if [[ -n ${MCP_TETHER_CHECK-} && ! $* =~ $MCP_TETHER_CHECK ]]; then
        skipped=$((skipped + 1))
        return
    fi
    set +e
    (
        set -euo pipefail
        "$@"
    ) >"$log" 2>&1
    status=$?
    set -e
    if ((status != 0)); then
        sed 's/^/    /' "$log" | tail -n 60
        echo "FAILED ${*//_/ }: look at ${looks_at:-packaging/check}"
        echo "test result: FAILED. $passed passed; 1 failed; $skipped ignored; 0 measured"
        exit 1
    fi
    passed=$((passed + 1))
    echo "ok ${*//_/ } ($((SECONDS - started)) s)"
}

# The program that all packages get.
program() {
    if [[ -z ${MCP_TETHER_BINARY-} ]]; then
        RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked --target "$static" --bin mcp-tether
        MCP_TETHER_BINARY=${CARGO_TARGET_DIR:-target}/$static/release/mcp-tether
    fi
    MCP_TETHER_BINARY=$(realpath "$MCP_TETHER_BINARY")
    export MCP_TETHER_BINARY
}

# What a release would hold. The other systems' archives have this one's program in them: what counts here is their names.
release() {
    local target
    for target in $(targets); do
        packaging/archive.sh "$target" "$MCP_TETHER_BINARY" "$archives"
    done
    packaging/archive.sh source "$archives"
    (cd "$archives" && sha256sum -- * >"$work/sums" && mv "$work/sums" SHA256SUMS)
    packaging/render.sh "$rendered" "$archives/SHA256SUMS"
}

targets() { sed -n 's/^ *\(- \)\?target: //p' .github/workflows/release.yml; }

if [[ $(uname -sm) != 'Linux x86_64' ]]; then
    echo "the packages are checked on Linux on x86-64, this is $(uname -sm)" >&2
    exit 1
fi
needs shellcheck:shellcheck shfmt:shfmt dash:dash zsh:zsh fish:fish elvish:elvish man:man-db groff:groff mandoc:mandoc \
    lintian:lintian rpmbuild:rpm makepkg:makepkg bsdtar:libarchive-tools fakeroot:fakeroot \
    nix-instantiate:nix-bin ruby:ruby zip:zip unzip:unzip curl:curl git:git python3:python3 xz:xz-utils
/usr/bin/python3 -c 'import jsonschema, yaml' 2>/dev/null || needs no:python3-jsonschema no:python3-yaml
(cd packaging/check && npm ci --loglevel=error)
program
release >/dev/null

looks_at=packaging/render.sh
check rendering_again_changes_nothing
check nothing_else_holds_the_version
check the_owner_is_one_value
check the_crate_gets_its_owner
looks_at='src/cli/completions.rs, and BLESS=1 cargo test --test it generate'
check bash_reads_its_completions
check zsh_completes
check fish_completes
check elvish_completes
looks_at='src/cli/man.rs, and BLESS=1 cargo test --test it generate'
check man_pages_have_no_mistakes
looks_at='the script that is named'
check shell_scripts_have_no_mistakes
looks_at=packaging/install/install.sh.in
check the_installer_installs
check the_installer_refuses_a_wrong_checksum
check the_installer_says_what_is_missing
looks_at=packaging/deb
check the_debian_package_is_built_installed_run_and_removed
looks_at=packaging/rpm
check the_rpm_package_is_built_and_holds_what_it_should
looks_at=packaging/aur
check the_arch_packages_are_described
check the_arch_package_is_built
looks_at=packaging/nix
check nix_can_read_its_files
looks_at=packaging/homebrew
check the_formulas_work
check a_formula_can_be_had_of_the_checkout
looks_at=packaging/scoop
check the_manifest_is_right scoop
looks_at=packaging/winget
check the_manifest_is_right winget
looks_at=packaging/server.json.in
check the_manifest_is_right registry
looks_at='[package.metadata.binstall] in Cargo.toml, and .github/workflows/release.yml'
check the_manifest_is_right binstall
looks_at=packaging/npm
check the_npm_packages_install_and_run
check the_npm_launcher_forwards_signals_and_exit_codes
check the_npm_launcher_says_what_is_missing
looks_at=packaging/mcpb
check the_icon_is_drawn
check the_bundle_is_packed_unpacked_and_run
looks_at=packaging/docker/Dockerfile
check the_dockerfile_names_what_is_there
looks_at=.github/workflows
check actions_are_pinned
looks_at='include in Cargo.toml'
check the_crate_is_packed_and_built

if ((passed == 0)); then
    echo "no check is called like ${MCP_TETHER_CHECK-}" >&2
    exit 1
fi
echo "test result: ok. $passed passed; 0 failed; $skipped ignored; 0 measured"
