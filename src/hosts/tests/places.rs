//! Where hosts keep their files on each system.

use std::path::{Path, PathBuf};

use crate::hosts::{Os, Places, all, by_id};

fn nothing(_: &Path) -> bool {
    false
}

fn file(host: &str, os: Os, env: &[(&str, &str)], there: &[&str]) -> Option<String> {
    let env = |name: &str| {
        let found = env.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let places = Places {
        os,
        home: Path::new("/h"),
        env: &env,
    };
    let exists = |path: &Path| there.iter().any(|known| path == Path::new(known));
    let found = by_id(host).unwrap().file(&places, &exists);
    found.map(|path| path.to_string_lossy().replace('\\', "/"))
}

#[test]
fn each_system_has_folders_of_its_own() {
    let table = [
        (
            "claude-desktop",
            Os::Mac,
            "/h/Library/Application Support/Claude/claude_desktop_config.json",
        ),
        (
            "claude-desktop",
            Os::Linux,
            "/h/.config/Claude/claude_desktop_config.json",
        ),
        (
            "claude-desktop",
            Os::Windows,
            "/h/AppData/Roaming/Claude/claude_desktop_config.json",
        ),
        ("claude-code", Os::Linux, "/h/.claude.json"),
        (
            "vscode",
            Os::Mac,
            "/h/Library/Application Support/Code/User/mcp.json",
        ),
        (
            "vscode-insiders",
            Os::Windows,
            "/h/AppData/Roaming/Code - Insiders/User/mcp.json",
        ),
        ("zed", Os::Mac, "/h/.config/zed/settings.json"),
        ("zed", Os::Windows, "/h/AppData/Roaming/Zed/settings.json"),
        ("goose", Os::Mac, "/h/.config/goose/config.yaml"),
        (
            "goose",
            Os::Windows,
            "/h/AppData/Roaming/Block/goose/config/config.yaml",
        ),
        ("codex", Os::Windows, "/h/.codex/config.toml"),
        ("opencode", Os::Linux, "/h/.config/opencode/opencode.json"),
        ("copilot-cli", Os::Linux, "/h/.copilot/mcp-config.json"),
        ("visual-studio", Os::Windows, "/h/.mcp.json"),
    ];
    for (host, os, wanted) in table {
        assert_eq!(
            file(host, os, &[], &[]).as_deref(),
            Some(wanted),
            "{host} {os:?}"
        );
    }
    assert_eq!(file("visual-studio", Os::Linux, &[], &[]), None);
}

#[test]
fn the_environment_moves_folders() {
    let table = [
        (
            "claude-desktop",
            Os::Linux,
            ("XDG_CONFIG_HOME", "/x"),
            "/x/Claude/claude_desktop_config.json",
        ),
        (
            "claude-desktop",
            Os::Linux,
            ("XDG_CONFIG_HOME", "x"),
            "/h/.config/Claude/claude_desktop_config.json",
        ),
        (
            "claude-desktop",
            Os::Windows,
            ("APPDATA", "/r"),
            "/r/Claude/claude_desktop_config.json",
        ),
        (
            "claude-code",
            Os::Mac,
            ("CLAUDE_CONFIG_DIR", "/c"),
            "/c/.claude.json",
        ),
        ("codex", Os::Linux, ("CODEX_HOME", "/c"), "/c/config.toml"),
        (
            "codex",
            Os::Linux,
            ("CODEX_HOME", ""),
            "/h/.codex/config.toml",
        ),
    ];
    for (host, os, env, wanted) in table {
        assert_eq!(
            file(host, os, &[env], &[]).as_deref(),
            Some(wanted),
            "{host} {env:?}"
        );
    }
}

#[test]
fn a_variable_that_decides_leaves_no_choice() {
    let there = [
        "/h/.claude.json",
        "/h/.codex/config.toml",
        "/h/.copilot/mcp-config.json",
    ];
    let claude = file(
        "claude-code",
        Os::Linux,
        &[("CLAUDE_CONFIG_DIR", "/c")],
        &there,
    );
    assert_eq!(claude.as_deref(), Some("/c/.claude.json"));
    let copilot = file(
        "copilot-cli",
        Os::Linux,
        &[("XDG_CONFIG_HOME", "/x")],
        &there,
    );
    assert_eq!(copilot.as_deref(), Some("/h/.copilot/mcp-config.json"));
    let moved = "/x/copilot/mcp-config.json";
    let copilot = file(
        "copilot-cli",
        Os::Linux,
        &[("XDG_CONFIG_HOME", "/x")],
        &[moved],
    );
    assert_eq!(copilot.as_deref(), Some(moved));
}

#[test]
fn of_several_files_the_one_that_exists_counts_and_then_the_one_whose_folder_does() {
    let zed = "/h/Library/Application Support/Zed/settings.json";
    assert_eq!(file("zed", Os::Mac, &[], &[zed]).as_deref(), Some(zed));
    let folder = "/h/Library/Application Support/Zed";
    assert_eq!(file("zed", Os::Mac, &[], &[folder]).as_deref(), Some(zed));
    let jsonc = "/h/.config/opencode/opencode.jsonc";
    let there = [jsonc, "/h/.config/opencode"];
    assert_eq!(
        file("opencode", Os::Linux, &[], &there).as_deref(),
        Some(jsonc)
    );
}

#[test]
fn a_host_is_found_by_its_folder_but_not_by_one_that_everybody_has() {
    let none = |_: &str| None;
    let places = Places {
        os: Os::Linux,
        home: Path::new("/h"),
        env: &none,
    };
    let home = |path: &Path| path == Path::new("/h") || path == Path::new("/h/.config");
    assert!(all().all(|host| !host.is_found(&places, &home)));
    let cursor = |path: &Path| path == Path::new("/h/.cursor");
    let found: Vec<&str> = all()
        .filter(|host| host.is_found(&places, &cursor))
        .map(|host| host.id)
        .collect();
    assert_eq!(found, ["cursor"]);
}

#[test]
fn a_project_has_files_of_its_own() {
    let project = |host: &str, there: &str| {
        let exists = |path: &Path| path == Path::new(there);
        by_id(host)
            .unwrap()
            .project_file(Path::new("/p"), "linear", &exists)
    };
    let path = |path: &str| Some(PathBuf::from(path));
    assert_eq!(project("claude-code", ""), path("/p/.mcp.json"));
    assert_eq!(
        project("copilot-cli", "/p/.github/mcp.json"),
        path("/p/.github/mcp.json")
    );
    assert_eq!(
        project("continue", ""),
        path("/p/.continue/mcpServers/linear.yaml")
    );
    assert_eq!(
        project("opencode", "/p/opencode.jsonc"),
        path("/p/opencode.jsonc")
    );
    assert_eq!(project("claude-desktop", ""), None);
}

#[test]
fn a_file_that_would_hide_another_is_told() {
    let host = by_id("claude-code").unwrap();
    let ours = Path::new("/p/.mcp.json");
    let theirs = Path::new("/p/.github/mcp.json");
    let exists = |path: &Path| path == theirs;
    assert_eq!(host.shadows(ours, &exists).as_deref(), Some(theirs));
    assert_eq!(
        host.shadows(ours, &|path| exists(path) || path == ours),
        None
    );
    assert_eq!(host.shadows(ours, &nothing), None);
    let old = Path::new("/h/.continue/config.json");
    let host = by_id("continue").unwrap();
    let hidden = host.shadows(Path::new("/h/.continue/config.yaml"), &|path| path == old);
    assert_eq!(hidden.as_deref(), Some(old));
}

#[test]
fn ids_are_apart() {
    let mut ids: Vec<&str> = all().map(|host| host.id).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}
