//! What a shell completes, by its own means where it is there: bash runs the script, the other shells are asked for.

use std::path::Path;

use crate::support::launch::{Launch, Output};

const CONFIG: &str = "[servers.linear]\nurl = \"https://mcp.linear.app/mcp?key=secret\"\n[servers.local]\nurl = \"http://127.0.0.1:1/\"\n[servers.\"bad\\u001bname\"]\nurl = \"https://b/\"\n";

/// A launch whose own config file has two servers.
fn with_servers(launch: Launch) -> Launch {
    let folder = launch.home().join("tether");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), CONFIG).unwrap();
    launch
}

/// What a shell gets for those words, the last of which is being typed.
fn ask(shell: &str, words: &[&str]) -> Output {
    let launch = with_servers(Launch::new())
        .args(["--", "mcp-tether"])
        .args(words.iter().copied())
        .env("MCP_TETHER_COMPLETE", shell)
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_IFS", "\n");
    launch.run("")
}

fn values(shell: &str, words: &[&str]) -> Vec<String> {
    let output = ask(shell, words);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    let lines = output.stdout.lines();
    lines
        .map(|line| line.split('\t').next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_shell_gets_commands_servers_options_and_values() {
    for shell in ["bash", "elvish", "fish", "powershell"] {
        let first = values(shell, &[""]);
        for wanted in ["login", "status", "completions", "linear", "local"] {
            assert!(
                first.iter().any(|word| word == wanted),
                "{shell}: {first:?}"
            );
        }
        assert!(!first.iter().any(|word| word.starts_with('-')), "{first:?}");
        assert!(!first.iter().any(|word| word == "man"), "{first:?}");
        assert_eq!(values(shell, &["li"]), ["linear"]);
        assert_eq!(values(shell, &["login", "lo"]), ["local"]);
        assert_eq!(values(shell, &["linear", "--transp"]), ["--transport"]);
        assert_eq!(
            values(shell, &["--transport", "ss"]),
            ["sse-first", "sse-only"]
        );
        assert_eq!(values(shell, &["--read"]), ["--read-only"]);
        assert_eq!(values(shell, &["login", "x", "--js"]), ["--json"]);
        assert_eq!(values(shell, &["completions", "p"]), ["powershell"]);
        assert!(values(shell, &["nothing-like-it"]).is_empty());
        let hidden = values(shell, &["--enable"]);
        assert!(hidden.is_empty() || hidden == ["--enable-proxy"]);
    }
}

#[test]
fn zsh_gets_descriptions_without_what_may_be_secret() {
    let output = ask("zsh", &["lin"]);
    assert_eq!(output.stdout, "linear:https://mcp.linear.app/mcp");
    let fish = ask("fish", &["lin"]);
    assert_eq!(fish.stdout, "linear\thttps://mcp.linear.app/mcp\n");
    assert!(!ask("fish", &[""]).stdout.contains('\u{1b}'));
}

#[test]
fn another_config_file_is_read_where_it_is_named() {
    let home = tempfile::TempDir::new().unwrap();
    let file = home.path().join("c.toml");
    std::fs::write(&file, "[servers.other]\nurl = \"https://o/\"\n").unwrap();
    let file = file.to_str().unwrap();
    let joined = format!("--config={file}");
    assert_eq!(values("fish", &["--config", file, "o"]), ["other"]);
    assert_eq!(values("fish", &[joined.as_str(), "o"]), ["other"]);
    let launch = Launch::new()
        .args(["--", "mcp-tether", "o"])
        .env("MCP_TETHER_COMPLETE", "fish")
        .env("MCP_TETHER_CONFIG", file);
    assert_eq!(launch.run("").stdout, "other\thttps://o/\n");
}

#[test]
fn an_unknown_shell_or_no_words_get_nothing() {
    for (shell, args) in [
        ("tcsh", &["--", "mcp-tether", "l"][..]),
        ("fish", &[]),
        ("zsh", &["--"]),
    ] {
        let launch = Launch::new().args(args.iter().copied());
        let output = launch.env("MCP_TETHER_COMPLETE", shell).run("");
        assert_eq!(
            (output.code, output.stdout.as_str(), output.stderr.as_str()),
            (Some(0), "", "")
        );
    }
}

/// Bash itself, with the script, at the end of `line`.
#[cfg(unix)]
fn bash(line: &[&str]) -> Option<Vec<String>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions/mcp-tether.bash");
    let program = Path::new(env!("CARGO_BIN_EXE_mcp-tether"))
        .parent()
        .unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let has_bash = std::env::split_paths(&path).any(|folder| folder.join("bash").exists());
    if !has_bash {
        return None;
    }
    let run = r#"source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
        registered=$(complete -p mcp-tether); [[ $registered == *_clap_complete_mcp_tether* ]] || exit 9
        current=${COMP_WORDS[COMP_CWORD]}; [[ $current != '=' ]] || current=
        _clap_complete_mcp_tether mcp-tether "$current" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let launch = with_servers(Launch::program("bash"))
        .args(["--norc", "--noprofile", "-c", run])
        .arg(script)
        .arg("mcp-tether")
        .args(line.iter().copied())
        .env("PATH", format!("{}:{path}", program.display()));
    let output = launch.run("");
    assert_eq!(
        (output.code, output.stderr.as_str()),
        (Some(0), ""),
        "{output:?}"
    );
    Some(output.stdout.lines().map(str::to_owned).collect())
}

#[test]
#[cfg(unix)]
fn bash_runs_the_script_and_completes() {
    let table: [(&[&str], &[&str]); 9] = [
        (&["logi"], &["login"]),
        (&["li"], &["linear"]),
        (&["login", "loc"], &["local"]),
        (&["linear", "--callback"], &["--callback-path"]),
        (&["--transport", "http-o"], &["http-only"]),
        // Bash splits these words itself.
        (&["--transport", "=", "http-o"], &["http-only"]),
        (&["--store", "="], &["auto", "keyring", "file", "memory"]),
        (
            &["https", ":", "//example.com/mcp", "--store", "me"],
            &["memory"],
        ),
        (&["completions", "zs"], &["zsh"]),
    ];
    for (line, wanted) in table {
        let Some(found) = bash(line) else { return };
        assert_eq!(found, wanted, "{line:?}");
    }
}
