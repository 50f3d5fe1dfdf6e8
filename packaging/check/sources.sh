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

the_crate_gets_its_repository() {
    local copy=$work/published.toml
    cp Cargo.toml "$copy"
    packaging/render.sh --cargo "$copy"
    MCP_TETHER_OWNER=somebody-else packaging/render.sh --cargo "$copy"
    MCP_TETHER_OWNER=somebody-else packaging/render.sh --cargo "$copy"
    diff <(diff Cargo.toml "$copy" | grep '^[<>]') \
        <(echo '> repository = "https://github.com/somebody-else/mcp-tether"')
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
EOF
}

the_crate_is_packed_and_built() {
    local target=${CARGO_TARGET_DIR:-$PWD/target} name=mcp-tether-$version file
    cargo package --locked --no-verify --allow-dirty --quiet --target-dir "$work/crate"
    tar -xzf "$work/crate/package/$name.crate" -C "$work"
    for file in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE completions/mcp-tether.bash packaging/man/mcp-tether.1; do
        [[ -e $work/$name/$file ]] || { echo "no $file" && return 1; }
    done
    [[ ! -e $work/$name/packaging/render.sh ]]
    # Dependencies have been built there before.
    (cd "$work/$name" && CARGO_TARGET_DIR=$target cargo build --locked --offline --bin mcp-tether)
    diff <("$target/debug/mcp-tether" --version) <(echo "mcp-tether $version")
}
