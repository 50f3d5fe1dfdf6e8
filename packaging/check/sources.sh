# shellcheck shell=bash disable=SC2154
# Checks of what is in the checkout: templates, the crate, the Dockerfile, the workflows. Sourced by check.sh.

rendering_again_changes_nothing() {
    packaging/render.sh "$work/again" "$archives/SHA256SUMS"
    diff -r "$rendered" "$work/again"
    packaging/render.sh "$work/again" "$archives/SHA256SUMS"
    diff -r "$rendered" "$work/again"
    if grep -rn '@[A-Z0-9]*@\|@SHA256:' "$rendered"; then return 1; fi
    # Sums of other files are no sums of these.
    : >"$work/none"
    if packaging/render.sh "$work/without" "$work/none"; then return 1; fi
}

nothing_else_holds_the_version() {
    local files
    mapfile -t files < <(git ls-files packaging completions .github .ci | grep -v 'lock.json$\|\.png$')
    # Other programs have versions, too, but not on lines that speak of this one.
    if grep -nF "$version" "${files[@]}" | grep -v '"[@a-z/-]*": "' | grep -v "1\.$version\|$version\.[0-9]"; then return 1; fi
}

the_owner_is_one_value() {
    local found
    MCP_TETHER_OWNER=somebody-else packaging/render.sh "$work/owner" "$archives/SHA256SUMS"
    found=$(grep -rhoE '(github\.com/|io\.github\.)[A-Za-z0-9_.-]+' "$work/owner" | sort -u)
    diff <(printf 'github.com/somebody-else\nio.github.somebody-else\n') <(echo "$found")
    [[ -e $work/owner/winget/somebody-else.mcp-tether.yaml ]]
    # And nothing beside the templates holds one.
    if git grep -nE 'github\.com/[A-Za-z0-9_-]+/mcp-tether' -- . ':!packaging/render.sh' ':!packaging/check'; then return 1; fi
}

the_crate_gets_its_owner() {
    local copy=$work/published owner
    mkdir "$copy"
    cp Cargo.toml "$copy/"
    echo 'The MCP registry knows it as `mcp-name: io.github.example/mcp-tether`.' >"$copy/README.md"
    for owner in one-owner somebody-else somebody-else; do
        MCP_TETHER_OWNER=$owner packaging/render.sh --publish "$copy"
    done
    diff <(diff Cargo.toml "$copy/Cargo.toml" | grep '^[<>]') \
        <(echo '> repository = "https://github.com/somebody-else/mcp-tether"')
    diff "$copy/README.md" <(echo 'The MCP registry knows it as `mcp-name: io.github.somebody-else/mcp-tether`.')
}

# Before there is a release, as packaging/README.md says it.
a_formula_can_be_had_of_the_checkout() {
    local local=$work/dist formula
    packaging/archive.sh source "$local"
    (cd "$local" && sha256sum -- *.tar.gz >SHA256SUMS)
    MCP_TETHER_DOWNLOADS=file://$local packaging/render.sh "$local" "$local/SHA256SUMS" homebrew/mcp-tether.rb
    formula=$local/homebrew/mcp-tether.rb
    ruby -c "$formula"
    curl -fsS -o "$work/fetched" "$(sed -n 's/^  url "\(.*\)"/\1/p' "$formula")"
    echo "$(sed -n 's/^  sha256 "\(.*\)"/\1/p' "$formula")  $work/fetched" | sha256sum -c
    [[ $(find "$local/homebrew" -type f | wc -l) == 1 ]]
}

# Docker is not here: what is copied must be there, and what makes the image safe must be said.
the_dockerfile_names_what_is_there() {
    local file=packaging/docker/Dockerfile source
    while read -r source; do
        [[ -e $source ]] || { echo "no $source" && return 1; }
    done < <(grep '^COPY' "$file" | grep -v -- --from | sed 's/^COPY //' | xargs -n1 | grep -v '^\./$')
    grep -qx 'FROM scratch' "$file"
    grep -qx 'USER 65532:65532' "$file"
    grep -qx 'ENTRYPOINT \["/mcp-tether"\]' "$file"
    # Its settings are settings.
    while read -r variable; do
        [[ $variable == HOME ]] || "$MCP_TETHER_BINARY" --help | grep -- "--$(tr 'A-Z_' 'a-z-' <<<"$variable")\b"
    done < <(grep -o 'MCP_TETHER_[A-Z_]*' "$file" | sed 's/MCP_TETHER_//')
}

actions_are_pinned() {
    /usr/bin/python3 - .github/workflows/*.yml <<'EOF'
import re, sys, yaml
for path in sys.argv[1:]:
    text = open(path).read()
    jobs = yaml.safe_load(text)["jobs"]
    for name, job in jobs.items():
        assert "timeout-minutes" in job, f"{path}: {name} may hang"
        for step in job["steps"]:
            uses = step.get("uses", "")
            assert not uses or re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", uses), f"{path}: {uses} is not pinned"
            for script in re.findall(r"packaging/[\w/]+\.sh", step.get("run", "")):
                open(script)
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}, path
    toolchain = yaml.safe_load(text)["env"]["RUSTUP_TOOLCHAIN"]
    assert f'\nrust-version = "{toolchain}"\n' in open("Cargo.toml").read(), f"{path}: {toolchain} is not rust-version"
EOF
}

the_crate_is_packed_and_built() {
    local target=${CARGO_TARGET_DIR:-$PWD/target} name=mcp-tether-$version file folder
    folder=$target/packaged
    rm -rf "$folder"
    mkdir -p "$folder"
    cargo package --locked --no-verify --allow-dirty --quiet --target-dir "$work/crate"
    # With the time of now: cargo would take files as old as the crate's for those that it has built.
    tar -xzmf "$work/crate/package/$name.crate" -C "$folder"
    for file in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE completions/mcp-tether.bash packaging/man/mcp-tether.1; do
        [[ -e $folder/$name/$file ]] || { echo "no $file" && return 1; }
    done
    [[ ! -e $folder/$name/packaging/render.sh ]]
    # Dependencies have been built there before.
    (cd "$folder/$name" && CARGO_TARGET_DIR=$target cargo build --locked --offline --bin mcp-tether)
    diff <("$target/debug/mcp-tether" --version) <(echo "mcp-tether $version")
    rm -rf "$folder"
}
