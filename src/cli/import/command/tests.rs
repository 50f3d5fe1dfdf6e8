use super::{Found, find};

const URL: &str = "https://h/mcp";

fn found(line: &str) -> Found {
    let words = shlex::split(line).unwrap();
    find(&words[0], &words[1..])
}

#[test]
fn every_way_to_start_it_is_found() {
    let ways = [
        "npx mcp-remote",
        "npx -y mcp-remote",
        "npx --yes mcp-remote@latest",
        "npx -y -q --prefer-offline mcp-remote@0.1.29",
        "npx -p mcp-remote@0.15.1 mcp-remote",
        "npx --package=mcp-remote -- mcp-remote",
        "npx -y --registry https://r.example mcp-remote@^0.15",
        "npx -y mcp-remote --",
        "/usr/local/bin/npx -y mcp-remote",
        r"'C:\Program Files\nodejs\npx.cmd' -y mcp-remote",
        "cmd /c npx -y mcp-remote@latest",
        "cmd.exe /d /s /C npx mcp-remote",
        "bunx mcp-remote",
        "bun x --bun mcp-remote",
        "pnpm dlx mcp-remote@latest",
        "pnpm --package=mcp-remote dlx mcp-remote",
        "pnpx mcp-remote",
        "yarn dlx -q mcp-remote",
        "npm exec mcp-remote --",
        "npm exec -y -- mcp-remote",
        "npm x -y mcp-remote@latest --",
        "deno run -A npm:mcp-remote@0.1.38",
        "node /opt/lib/node_modules/mcp-remote/dist/proxy.js",
        "node --no-warnings -r ./x.js ./node_modules/.bin/mcp-remote",
        r"node.exe 'C:\x\node_modules\mcp-remote\dist\proxy.js'",
        "mcp-remote",
        "/opt/homebrew/bin/mcp-remote",
        "mcp-remote.cmd",
        "/usr/bin/env npx mcp-remote",
        "/usr/bin/env -i mcp-remote",
    ];
    for way in ways {
        let line = format!("{way} {URL} 9696 --debug");
        let expected = Found::McpRemote([URL, "9696", "--debug"].map(str::to_owned).to_vec());
        assert_eq!(found(&line), expected, "{line}");
        assert_eq!(find(&line, &[]), expected, "the whole line: {line}");
    }
    for line in [
        format!("sh -c 'npx -y mcp-remote {URL} 9696 --debug'"),
        format!("bash -lc 'exec npx mcp-remote {URL} 9696 --debug'"),
        format!("cmd /c 'npx -y mcp-remote {URL} 9696 --debug'"),
        format!("npx -y -c 'mcp-remote {URL} 9696 --debug'"),
    ] {
        let expected = Found::McpRemote([URL, "9696", "--debug"].map(str::to_owned).to_vec());
        assert_eq!(found(&line), expected, "{line}");
    }
}

#[test]
fn what_cannot_be_moved_is_told_and_the_rest_is_left_alone() {
    for line in [
        "docker run -i --rm node npx mcp-remote https://h/mcp",
        "wsl npx -y mcp-remote https://h/mcp",
        "mise exec -- npx -y mcp-remote https://h/mcp",
        "sh -c 'TOKEN=$(cat x) npx mcp-remote https://h/mcp'",
        "sh -c 'npx mcp-remote https://h/mcp | tee log'",
        "sh -c 'TOKEN=x npx -y mcp-remote https://h/mcp'",
        "env A=b C= npx -y mcp-remote https://h/mcp",
        "npx -y github:geelen/mcp-remote https://h/mcp",
        "cmd /c 'chcp 65001 >nul & npx -y mcp-remote https://h/mcp'",
    ] {
        assert!(matches!(found(line), Found::Stays(_)), "{line}");
    }
    for line in [
        "npx -y @modelcontextprotocol/server-everything",
        "npx -y mcp-remote-go https://h/mcp",
        "npx -y my-mcp-remote https://h/mcp",
        "npx -y -p mcp-remote mcp-remote-client https://h/mcp",
        "node server.js --upstream https://h/mcp-remote",
        "python -m server",
        "sh -c 'exec ./server'",
        "npx",
    ] {
        let told = found(line);
        let other = told == Found::Other || line.contains("mcp-remote-client");
        assert!(other, "{line}: {told:?}");
    }
    let ours = Found::Ours(vec!["run".to_owned(), URL.to_owned()]);
    assert_eq!(found("/usr/bin/mcp-tether run https://h/mcp"), ours);
}
