//! How files are written: backups, links, modes, and what is refused.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::{Home, URL, refused};

const FILE: &str = ".cursor/mcp.json";
const TEXT: &str = "{\n  \"mcpServers\": {}\n}\n";

#[test]
fn a_file_is_made_with_its_folders() {
    let home = Home::new();
    let output = home.ok(&["install", "cursor", URL]);
    assert!(
        output.stdout.starts_with("linear added to Cursor\n"),
        "{output:?}"
    );
    assert_eq!(home.names(".cursor"), ["mcp.json"]);
    assert!(home.read(FILE).contains(URL));
}

#[test]
fn a_file_that_changes_is_kept_beside_and_one_that_does_not_is_not() {
    let home = Home::new();
    home.write(FILE, TEXT);
    let output = home.ok(&["install", "cursor", URL]);
    let names = home.names(".cursor");
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[1].starts_with("mcp.json.mcp-tether-2") && names[1].ends_with(".bak"));
    assert!(output.stderr.contains(&names[1]), "{output:?}");
    assert_eq!(home.read(&format!(".cursor/{}", names[1])), TEXT);
    let output = home.ok(&["install", "cursor", URL]);
    assert_eq!(
        output.stdout.lines().next(),
        Some("linear is in Cursor already, nothing to do")
    );
    assert_eq!(home.names(".cursor"), names);
    home.ok(&["install", "cursor", URL, "--silent"]);
    assert_eq!(home.names(".cursor").len(), 3);
}

#[test]
fn a_dry_run_shows_the_change_and_writes_nothing() {
    let home = Home::new();
    home.write(FILE, TEXT);
    let output = home.ok(&["install", "cursor", URL, "--dry-run"]);
    for line in ["-  \"mcpServers\": {}", "+    \"linear\": {", "@@ "] {
        assert!(output.stdout.contains(line), "{output:?}");
    }
    assert_eq!(home.read(FILE), TEXT);
    assert_eq!(home.names(".cursor"), ["mcp.json"]);
    home.ok(&["install", "cursor", URL]);
    let after = home.read(FILE);
    let output = home.ok(&["uninstall", "cursor", "linear", "--dry-run"]);
    assert!(output.stdout.contains("-    \"linear\": {"), "{output:?}");
    assert_eq!(home.read(FILE), after);
    let new = Home::new();
    let output = new.ok(&["install", "zed", URL, "--dry-run"]);
    assert!(output.stdout.starts_with("--- /dev/null"), "{output:?}");
    assert!(new.names("").is_empty());
}

#[test]
fn a_read_only_file_is_refused() {
    let home = Home::new();
    let path = home.write(FILE, TEXT);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o444)).unwrap();
    let output = home.run(&["install", "cursor", URL]);
    refused(&output, 1, &["mcp.json is read-only", "hint: "]);
    assert_eq!(home.read(FILE), TEXT);
    assert_eq!(home.names(".cursor"), ["mcp.json"]);
}

#[test]
fn a_link_stays_a_link_and_its_target_keeps_its_mode() {
    let home = Home::new();
    let target = home.write("dotfiles/cursor.json", TEXT);
    std::fs::set_permissions(&target, PermissionsExt::from_mode(0o640)).unwrap();
    std::fs::create_dir(home.path(".cursor")).unwrap();
    symlink("../dotfiles/cursor.json", home.path(FILE)).unwrap();
    home.ok(&["install", "cursor", URL]);
    assert!(home.path(FILE).is_symlink());
    assert!(home.read("dotfiles/cursor.json").contains(URL));
    assert_eq!(home.names("dotfiles"), ["cursor.json"]);
    let mode = target.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let backup = home.names(".cursor").pop().unwrap();
    let mode = home
        .path(&format!(".cursor/{backup}"))
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn a_link_to_nothing_gets_its_target() {
    let home = Home::new();
    std::fs::create_dir(home.path(".cursor")).unwrap();
    symlink(home.path("dotfiles/cursor.json"), home.path(FILE)).unwrap();
    home.ok(&["install", "cursor", URL]);
    assert!(home.path(FILE).is_symlink());
    assert!(home.read("dotfiles/cursor.json").contains(URL));
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let home = Home::new();
    let path = home.write(FILE, "");
    std::fs::write(&path, b"\xff\xfe{\0}\0").unwrap();
    refused(
        &home.run(&["install", "cursor", URL]),
        1,
        &["is not UTF-8 text", "hint: "],
    );
    let folder = Home::new();
    std::fs::create_dir_all(folder.path(FILE)).unwrap();
    refused(
        &folder.run(&["install", "cursor", URL]),
        1,
        &["mcp.json", "hint: "],
    );
}

#[test]
fn variables_of_the_system_move_files() {
    let home = Home::new();
    let moved = home.path("moved");
    let launch = home
        .launch(&["install", "claude-desktop", URL])
        .env("XDG_CONFIG_HOME", &moved);
    assert_eq!(launch.run("").code, Some(0));
    assert!(
        home.read("moved/Claude/claude_desktop_config.json")
            .contains(URL)
    );
    let launch = home
        .launch(&["install", "codex", URL])
        .env("CODEX_HOME", &moved);
    assert_eq!(launch.run("").code, Some(0));
    assert!(home.read("moved/config.toml").contains(URL));
}

#[test]
fn a_dry_run_blots_what_is_replaced_below_its_name_on_both_sides() {
    let home = Home::new();
    let install = ["install", "goose", URL, "--force", "--client-cert", "/k/c"];
    let key = |key| [&install[..], &["--client-key", key]].concat();
    // The second one brings the lines of the list to where they stay.
    home.ok(&key("/k/hush-one"));
    home.ok(&key("/k/hush-two"));
    let again = [&key("/k/hush-three")[..], &["--dry-run"]].concat();
    let output = home.ok(&again);
    let told = home.json(&[&again[..], &["--json"]].concat());
    for shown in [&output.stdout, told["diff"].as_str().unwrap()] {
        for line in [
            "       - '--client-key'",
            "-      - (redacted)",
            "+      - (redacted)",
        ] {
            assert!(shown.lines().any(|own| own == line), "{line:?}: {shown}");
        }
        assert!(!shown.contains("hush"), "{shown}");
    }
}
