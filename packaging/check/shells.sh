# shellcheck shell=bash disable=SC2154
# Checks of what shells and people read: completions, man pages, scripts, the installer. Sourced by check.sh.

# A folder with the program under its name, and a config file with a server.
shell_home() {
    local home=$work/shell
    mkdir -p "$home/bin" "$home/tether"
    ln -sf "$MCP_TETHER_BINARY" "$home/bin/mcp-tether"
    printf '[servers.linear]\nurl = "https://mcp.example.com/"\n' >"$home/tether/config.toml"
    export MCP_TETHER_HOME=$home/tether PATH=$home/bin:$PATH HOME=$home
}

bash_reads_its_completions() {
    bash -n completions/mcp-tether.bash
    shell_home
    "$MCP_TETHER_BINARY" completions bash | diff - completions/mcp-tether.bash
    # As bash itself would ask, on a terminal, with a tab.
    /usr/bin/python3 packaging/check/tab.py bash "$PWD/completions/mcp-tether.bash" \
        'mcp-tether comple=completions ' 'mcp-tether lin=linear ' 'mcp-tether --transport=ws=' \
        'mcp-tether --transport=websoc=websocket ' 'mcp-tether status --prof=--profile '
}

zsh_completes() {
    zsh -n completions/_mcp-tether
    shell_home
    # The script is loaded by its name, as from a package.
    /usr/bin/python3 packaging/check/tab.py zsh "$PWD/completions" \
        'mcp-tether comple=completions ' 'mcp-tether lin=linear ' 'mcp-tether --transport=websoc=websocket '
}

fish_completes() {
    fish -n completions/mcp-tether.fish
    shell_home
    local found
    found=$(fish -N -c 'source completions/mcp-tether.fish; complete -C "mcp-tether li"')
    diff <(printf 'linear\thttps://mcp.example.com/\n') <(echo "$found")
    found=$(fish -N -c 'source completions/mcp-tether.fish; complete -C "mcp-tether --transport=web"')
    diff <(printf -- '--transport=websocket\tWebSocket\n') <(echo "$found")
}

# The editor's variables are not there without a terminal; one stands in for them.
elvish_completes() {
    shell_home
    {
        echo 'var edit: = (ns [&completion:=(ns [&arg-completer=[&]])])'
        cat completions/mcp-tether.elv
        echo '$edit:completion:arg-completer[mcp-tether] mcp-tether comple'
        echo '$edit:completion:arg-completer[mcp-tether] mcp-tether li'
    } >"$work/completions.elv"
    elvish -norc -compileonly "$work/completions.elv"
    diff <(printf 'completions\nlinear\n') <(elvish -norc "$work/completions.elv")
}

man_pages_have_no_mistakes() {
    local page said
    for page in packaging/man/*.1; do
        said=$(LC_ALL=C.UTF-8 man --warnings=all -l -Tutf8 "$page" 2>&1 >/dev/null | grep -v "can't break line\|cannot adjust line" || true)
        [[ -z $said ]] || { echo "$page: $said" && return 1; }
        mandoc -T lint -W error "$page"
        # All 80 columns, and no more.
        MANWIDTH=80 LC_ALL=C.UTF-8 man -l "$page" | col -b | awk -v page="$page" 'length > 80 { print page ": " $0; bad = 1 } END { exit bad }'
    done
    "$MCP_TETHER_BINARY" man "$work/man"
    diff -r "$work/man" packaging/man
}

shell_scripts_have_no_mistakes() {
    local scripts
    mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
    # Quoted text is for another shell on purpose.
    shellcheck -x -P SCRIPTDIR -P . -e SC2016 "${scripts[@]}"
    shfmt -i 4 -ci -bn -d packaging/*.sh packaging/*/*.sh .ci/needs.sh
    shellcheck -s sh "$rendered/install/install.sh"
    shfmt -ln posix -i 4 -ci -bn -d "$rendered/install/install.sh"
}

# Serves a folder on a port of its own, and sets `address`.
serve() {
    coproc /usr/bin/python3 -u -c '
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_address[1])
server.serve_forever()' "$1" 2>/dev/null
    local port
    read -r port <&"${COPROC[0]}"
    # shellcheck disable=SC2034 # it ends with the shell of the check
    trap 'kill "$COPROC_PID" 2>/dev/null' EXIT
    address=http://127.0.0.1:$port
}

installer() {
    env -i PATH="${3:-/usr/bin:/bin}" HOME="$work/installer" MCP_TETHER_DOWNLOADS="$1" "${2:-dash}" "$rendered/install/install.sh"
}

the_installer_installs() {
    local shell said
    serve "$archives"
    for shell in dash bash; do
        rm -rf "$work/installer"
        said=$(installer "$address" "$shell" 2>&1)
        grep -q 'hint: .* is not on your PATH' <<<"$said"
        diff <("$work/installer/.local/bin/mcp-tether" --version) <(echo "mcp-tether $version")
    done
    # Over one that runs.
    "$work/installer/.local/bin/mcp-tether" http://127.0.0.1:9/ < <(sleep 20) &
    installer "$address"
    kill "$!"
    # Nothing is left of the download, and of the old program.
    diff <(echo mcp-tether) <(ls -A "$work/installer/.local/bin")
}

the_installer_refuses_a_wrong_checksum() {
    local said
    mkdir -p "$work/wrong"
    cp "$archives"/*x86_64-unknown-linux-musl.tar.gz "$work/wrong/"
    sed 's/^[0-9a-f]\{8\}/00000000/' "$archives/SHA256SUMS" >"$work/wrong/SHA256SUMS"
    serve "$work/wrong"
    rm -rf "$work/installer"
    if said=$(installer "$address" 2>&1); then return 1; fi
    grep -q 'checksum of mcp-tether-v.* is wrong' <<<"$said"
    [[ ! -e $work/installer ]]
    : >"$work/wrong/SHA256SUMS"
    if said=$(installer "$address" 2>&1); then return 1; fi
    grep -q 'checksum of mcp-tether-v.* is wrong' <<<"$said"
    [[ ! -e $work/installer ]]
}

the_installer_says_what_is_missing() {
    local said
    mkdir -p "$work/nothing"
    serve "$work/nothing"
    if said=$(installer "$address" 2>&1); then return 1; fi
    grep -q 'mcp-tether: cannot get ' <<<"$said"
    grep -q '^hint: ' <<<"$said"
    # A machine with neither curl nor wget.
    mkdir -p "$work/few"
    for one in uname mktemp rm cut awk; do ln -sf "$(type -P "$one")" "$work/few/"; done
    if said=$(installer "$address" /usr/bin/dash "$work/few" 2>&1); then return 1; fi
    grep -q 'neither curl nor wget' <<<"$said"
}
