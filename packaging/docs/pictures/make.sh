#!/usr/bin/env bash
# Makes the pictures of the documentation: the page that a sign-in ends with, and what `doctor` prints on a terminal.
# It needs Chromium, curl and `script` (util-linux), and a built program and demo:
#   cargo build && cargo build --example demo && packaging/docs/pictures/make.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
top=$(git rev-parse --show-toplevel)
target=${CARGO_TARGET_DIR:-$top/target}/debug
work=$(mktemp -d)
export MCP_TETHER_HOME=$work/home

leave() {
    trap - EXIT
    [[ -z ${server:-} ]] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap leave EXIT

# Photographs a page: address, file, width and height.
picture() {
    # As root Chromium has no sandbox of its own.
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=2 \
        --user-data-dir="$work/chromium" --window-size="$3" --screenshot="$2" "$1" >/dev/null 2>&1
    [[ -s $2 ]]
}

# The demo server, which wants a sign-in.
"$target/examples/demo" serve --oauth 0 >"$work/server.log" 2>&1 &
server=$!
until url=$(grep -oE 'http://[0-9.:]+/mcp' "$work/server.log" | head -n 1) && [[ -n $url ]]; do
    kill -0 "$server"
    read -rt 0.1 <> <(:) || true
done

# The browser of this sign-in consents, and photographs where it is sent.
cat >"$work/browser" <<EOF
#!/usr/bin/env bash
set -euo pipefail
origin=\${1%%/authorize*}
request=\$(curl -s "\$1" | grep -oE 'name="request" value="[^"]+"' | cut -d'"' -f4)
curl -s -o "$work/none" -w '%{redirect_url}' -d "request=\$request&answer=allow" "\$origin/consent" >"$work/back"
EOF
chmod +x "$work/browser"
BROWSER=$work/browser "$target/mcp-tether" login "$url" --store file >/dev/null 2>"$work/login.log" &
login=$!
until [[ -s $work/back ]]; do
    kill -0 "$login"
    read -rt 0.1 <> <(:) || true
done
picture "$(cat "$work/back")" signed-in.png 760,520
wait "$login"

# What doctor prints, as a terminal of 80 columns shows it.
script -qec "stty cols 80; '$target/mcp-tether' doctor '$url' --store file" /dev/null >"$work/doctor.txt" || true
sed -E 's/\r$//; s/.*\r//; s/\x1b\[[0-9;]*[A-HJKSTfhlsu]//g' "$work/doctor.txt" | sed -E '
    s/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g
    s/\x1b\[0?m/<\/span>/g; s/\x1b\[39m/<\/span>/g
    s/\x1b\[(1;)?32m/<span style="color:#3fb950">/g; s/\x1b\[(1;)?33m/<span style="color:#d29922">/g
    s/\x1b\[(1;)?31m/<span style="color:#f85149">/g; s/\x1b\[(1;)?36m/<span style="color:#39c5cf">/g
    s/\x1b\[2m/<span style="opacity:.6">/g; s/\x1b\[1m/<span style="font-weight:bold">/g
    s/\x1b\[[0-9;?]*[a-zA-Z]//g' >"$work/body"
lines=$(wc -l <"$work/body")
{
    printf '<!doctype html><meta charset=utf-8><style>body{margin:0;padding:18px 22px;background:#0d1117;color:#e6edf3;'
    printf 'font:14px/20px "DejaVu Sans Mono",monospace}pre{margin:0;font:inherit}</style><pre>'
    printf '$ mcp-tether doctor %s\n' "$url"
    cat "$work/body"
} >"$work/doctor.html"
picture "file://$work/doctor.html" doctor.png "740,$((36 + 20 * (lines + 1)))"
