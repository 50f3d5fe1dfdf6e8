//! `import` without a URL: the files of hosts.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::shop::{self, Layout};
use super::{calls, document, home, import, keep, signed_in};
use crate::support::launch::Output;
use crate::support::scene::Scene;
use crate::support::server::Peer;

/// Writes a file at home.
fn write(scene: &Scene, path: &str, text: &str) -> PathBuf {
    let path = home(scene).join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// What Cursor has, with an entry that starts `mcp-remote`.
fn cursor(scene: &Scene, args: &Value, env: &Value) -> PathBuf {
    let all = json!({ "mcpServers": { "mine": { "command": "npx", "args": args, "env": env } } });
    write(
        scene,
        ".cursor/mcp.json",
        &serde_json::to_string_pretty(&all).unwrap(),
    )
}

/// The entry in a file of Cursor's.
fn entry(path: &Path) -> Value {
    let all: Value = serde_json::from_str(&read(path)).unwrap();
    all["mcpServers"]["mine"].clone()
}

fn args(entry: &Value) -> Vec<String> {
    let args = entry["args"].as_array().unwrap();
    args.iter()
        .map(|arg| arg.as_str().unwrap().to_owned())
        .collect()
}

/// The files beside that one which hold what it said before.
fn backups(path: &Path) -> usize {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names
        .filter(|other| other.starts_with(&name) && *other != name)
        .count()
}

fn is_nothing(output: &Output) {
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(0), ""),
        "{output:?}"
    );
    assert!(output.stderr.contains("nothing to do"), "{output:?}");
}

#[test]
fn an_entry_moves_with_its_options_and_its_sign_in() {
    let (scene, login) = signed_in();
    keep(&scene, Layout::Stamped, &login, 10);
    let url = scene.mcp.url();
    let text = format!(
        "{{\n    // mine\n    \"mcpServers\": {{\n        \"other\": {{ \"command\": \"x\" }}, // stays\n        \"mine\": {{\n            \"command\": \"npx\",\n            \"args\": [\"-y\", \"mcp-remote@latest\", \"{url}\", \"--debug\", \"--enable-proxy\"],\n            \"disabled\": false\n        }},\n    }},\n}}\n"
    );
    let path = write(&scene, ".cursor/mcp.json", &text);
    let output = import(&scene, &[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    for wanted in [
        "mine",
        "moved with its sign-in",
        "--enable-proxy is left out",
    ] {
        assert!(output.stdout.contains(wanted), "{output:?}");
    }
    assert!(
        output.stderr.contains(".mcp-auth stay as they are"),
        "{output:?}"
    );
    let after = read(&path);
    let program = env!("CARGO_BIN_EXE_mcp-tether");
    for wanted in [
        "// mine",
        "{ \"command\": \"x\" }, // stays",
        "\"disabled\": false",
        program,
        "\"--debug\"",
    ] {
        assert!(after.contains(wanted), "{wanted}: {after}");
    }
    assert!(
        !after.contains("mcp-remote") && !after.contains("--enable-proxy"),
        "{after}"
    );
    assert_eq!(backups(&path), 1);
    calls(&scene, scene.program().args([url.as_str(), "--debug"]));

    is_nothing(&import(&scene, &[]));
    assert_eq!((read(&path), backups(&path)), (after, 1));
}

#[test]
fn a_dry_run_shows_the_change_and_makes_none() {
    let (scene, login) = signed_in();
    scene.mcp.mcp.server.allow_idle();
    keep(&scene, Layout::Raw("0.1.37"), &login, 10);
    let path = cursor(&scene, &json!(["mcp-remote", scene.mcp.url()]), &json!({}));
    let before = read(&path);
    let output = import(&scene, &["--dry-run"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let added = format!(
        "+      \"command\": \"{}\"",
        env!("CARGO_BIN_EXE_mcp-tether")
    );
    for wanted in [
        "-      \"command\": \"npx\"",
        &added,
        "would be moved with its sign-in",
    ] {
        assert!(output.stdout.contains(wanted), "{wanted}: {output:?}");
    }
    assert_eq!((read(&path), backups(&path)), (before, 0));
    assert!(scene.records().is_empty());
}

#[test]
fn every_format_is_rewritten() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    scene.mcp.mcp.server.allow_idle();
    let url = scene.mcp.url();
    let standard =
        format!(r#"{{"mcpServers":{{"a":{{"command":"npx","args":["mcp-remote","{url}"]}}}}}}"#);
    let project = format!(
        r#"{{"projects":{{"/p":{{"mcpServers":{{"b":{{"command":"npx","args":["mcp-remote","{url}"]}}}}}}}}}}"#
    );
    let files = [
        write(
            &scene,
            ".config/Claude/claude_desktop_config.json",
            &standard,
        ),
        write(&scene, ".claude.json", &project),
        write(&scene, ".gemini/settings.json", &standard),
        write(
            &scene,
            ".config/Code/User/mcp.json",
            &format!(
                r#"{{"servers":{{"a":{{"type":"stdio","command":"npx","args":["mcp-remote","{url}"]}}}}}}"#
            ),
        ),
        write(
            &scene,
            ".codex/config.toml",
            &format!(
                "model = \"x\" # stays\n\n[mcp_servers.a]\ncommand = \"npx\"\nargs = [\"-y\", \"mcp-remote\", \"{url}\"]\n"
            ),
        ),
        write(
            &scene,
            ".config/goose/config.yaml",
            &format!(
                "extensions:\n  # stays\n  a:\n    name: a\n    type: stdio\n    cmd: npx\n    args:\n      - mcp-remote\n      - {url}\n    enabled: true\n"
            ),
        ),
        write(
            &scene,
            ".config/opencode/opencode.json",
            &format!(
                r#"{{"mcp":{{"a":{{"type":"local","command":["npx","mcp-remote","{url}"]}}}}}}"#
            ),
        ),
        // Read by more than one host.
        write(&scene, ".mcp.json", &standard),
    ];
    let output = import(&scene, &["--json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let report = document(&output);
    for path in &files {
        let text = read(path);
        assert!(!text.contains("mcp-remote"), "{text}");
        assert!(
            text.contains(env!("CARGO_BIN_EXE_mcp-tether")) && text.contains(&url),
            "{text}"
        );
        assert_eq!(text.contains('#'), text.contains("stays"), "{text}");
        let told = report["files"].as_array().unwrap();
        let told: Vec<&Value> = told
            .iter()
            .filter(|file| file["path"] == path.to_str().unwrap())
            .collect();
        assert_eq!(told.len(), 1, "{path:?} {report}");
        assert_eq!(told[0]["entries"].as_array().unwrap().len(), 1);
        assert_eq!(told[0]["entries"][0]["moved"], true);
        assert_eq!(told[0]["entries"][0]["url"], url.as_str());
        assert_eq!(told[0]["entries"][0]["signIn"]["result"], "none");
        assert!(Path::new(told[0]["backup"].as_str().unwrap()).exists());
    }
    assert_eq!(report["files"].as_array().unwrap().len(), files.len());
    is_nothing(&import(&scene, &[]));
}

#[test]
fn a_broken_file_is_named_and_the_rest_goes_on() {
    let (scene, login) = signed_in();
    keep(&scene, Layout::Stamped, &login, 10);
    let broken = write(&scene, ".gemini/settings.json", "{\n  \"mcpServers\": {,\n");
    let path = cursor(&scene, &json!(["mcp-remote", scene.mcp.url()]), &json!({}));
    let output = import(&scene, &[]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("settings.json"), "{output:?}");
    assert!(output.stderr.contains("line 2"), "{output:?}");
    assert_eq!(read(&broken), "{\n  \"mcpServers\": {,\n");
    assert!(!read(&path).contains("mcp-remote"));
    calls(&scene, scene.launch());
}

#[test]
fn secrets_leave_the_arguments_and_are_never_printed() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    scene.mcp.mcp.server.allow_idle();
    let url = scene.mcp.url();
    let words = json!([
        "mcp-remote",
        url,
        "--header",
        "Authorization: Bearer s3cret-1",
        "--header",
        "X-Plain: 1",
        "--header",
        "X-Api-Key:${KEY}",
    ]);
    let path = cursor(&scene, &words, &json!({ "KEY": "s3cret-2" }));
    let code = json!({ "mcpServers": { "mine": { "command": "npx", "args": words, "env": { "KEY": "s3cret-2" } } } });
    let code = write(&scene, ".claude.json", &code.to_string());
    let output = import(&scene, &["--json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(!format!("{output:?}").contains("s3cret"), "{output:?}");
    let moved = entry(&path);
    assert!(!args(&moved).join(" ").contains("s3cret"), "{moved}");
    assert_eq!(
        args(&moved)[1..],
        [
            "--header",
            "Authorization:${MINE_AUTHORIZATION}",
            "--header",
            "X-Plain:1",
            "--header",
            "X-Api-Key:${KEY}"
        ]
    );
    assert_eq!(
        moved["env"],
        json!({ "KEY": "s3cret-2", "MINE_AUTHORIZATION": "Bearer s3cret-1" })
    );
    // It would replace the variables in arguments by itself.
    let moved = entry(&code);
    assert_eq!(args(&moved), [url]);
    let headers = "Authorization: Bearer s3cret-1\nX-Plain: 1\nX-Api-Key:${KEY}";
    assert_eq!(moved["env"]["MCP_TETHER_HEADER"], headers);
    is_nothing(&import(&scene, &[]));
}

#[test]
fn a_sign_in_is_found_by_headers_and_by_what_the_host_makes_of_them() {
    let (scene, login) = signed_in();
    let url = scene.mcp.url();
    // Claude Code has replaced the variable before mcp-remote saw it.
    let seed = format!(r#"{url}|{{"X-A":"one"}}"#);
    shop::write(&home(&scene), Layout::Stamped, &seed, &login, 10);
    let words = json!(["mcp-remote", url, "--header", "X-A:${A}"]);
    let code = json!({ "mcpServers": { "mine": { "command": "npx", "args": words, "env": { "A": "one" } } } });
    write(&scene, ".claude.json", &code.to_string());
    let report = document(&import(&scene, &["--json"]));
    assert_eq!(
        report["files"][0]["entries"][0]["signIn"]["result"], "moved",
        "{report}"
    );
    calls(&scene, scene.launch().args(["--header", "X-A: one"]));
    is_nothing(&import(&scene, &[]));
}

#[test]
fn an_entry_waits_for_its_sign_in_where_the_server_is_not_there() {
    let (scene, login) = signed_in();
    keep(&scene, Layout::Stamped, &login, 10);
    let path = cursor(&scene, &json!(["mcp-remote", scene.mcp.url()]), &json!({}));
    let before = read(&path);
    scene.mcp.mcp.server.stop();
    let output = import(&scene, &[]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stdout.contains("stays as it is"), "{output:?}");
    assert_eq!((read(&path), backups(&path)), (before, 0));
    scene.mcp.mcp.server.start();
    assert_eq!(import(&scene, &[]).code, Some(0));
    assert!(!read(&path).contains("mcp-remote"));
    calls(&scene, scene.launch());
}

#[test]
fn a_sign_in_that_cannot_be_moved_does_not_keep_its_entry() {
    let (scene, login) = signed_in();
    scene.mcp.mcp.server.allow_idle();
    let damaged = keep(&scene, Layout::Stamped, &login, 10);
    fs::write(&damaged, "{").unwrap();
    let path = cursor(&scene, &json!(["mcp-remote", scene.mcp.url()]), &json!({}));
    let output = import(&scene, &[]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(
        output.stdout.contains("moved without its sign-in"),
        "{output:?}"
    );
    assert!(
        output.stderr.contains(damaged.to_str().unwrap()),
        "{output:?}"
    );
    assert!(!read(&path).contains("mcp-remote"));
}

#[test]
fn what_no_entry_explains_is_named_with_what_to_type() {
    let (scene, mut login) = signed_in();
    login.tokens["issuer"] = "https://as.example".into();
    let path = shop::write(
        &home(&scene),
        Layout::Stamped,
        "https://gone.example",
        &login,
        10,
    );
    scene.mcp.mcp.server.allow_idle();
    let output = import(&scene, &[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let name = path.file_name().unwrap().to_str().unwrap();
    for wanted in [
        name,
        "https://as.example",
        "mcp-tether import URL",
        "nothing to do",
    ] {
        assert!(output.stderr.contains(wanted), "{output:?}");
    }
    let report = document(&import(&scene, &["--json"]));
    assert_eq!(report["orphans"][0]["issuer"], "https://as.example");
}

#[test]
fn what_cannot_be_moved_is_told_and_stays() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    scene.mcp.mcp.server.allow_idle();
    let all = json!({ "mcpServers": {
        "boxed": { "command": "docker", "args": ["run", "node", "npx", "mcp-remote", scene.mcp.url()] },
        "wrong": { "command": "npx", "args": ["mcp-remote", "--debug", scene.mcp.url()] },
        "remote": { "url": scene.mcp.url() },
        "other": { "command": "npx", "args": ["-y", "@scope/server"] },
    } });
    let path = write(&scene, ".cursor/mcp.json", &all.to_string());
    let output = import(&scene, &[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(
        output.stdout.matches("stays as it is").count(),
        2,
        "{output:?}"
    );
    assert_eq!(read(&path), all.to_string());
}

#[test]
fn what_several_hosts_read_is_told_once_with_where_it_was_kept() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    scene.mcp.mcp.server.allow_idle();
    let all = json!({ "mcpServers": {
        "boxed": { "command": "docker", "args": ["run", "node", "npx", "mcp-remote", scene.mcp.url()] },
        "mine": { "command": "npx", "args": ["mcp-remote", scene.mcp.url()] },
    } });
    let path = write(&scene, ".mcp.json", &all.to_string());
    let output = import(&scene, &[]);
    for once in ["boxed", "mine"] {
        assert_eq!(output.stdout.matches(once).count(), 1, "{output:?}");
    }
    let kept = format!("the file as it was: {}.", path.display());
    assert!(output.stderr.contains(&kept), "{output:?}");
}

#[test]
fn a_newer_sign_in_follows_an_entry_that_was_moved_before() {
    let (scene, login) = signed_in();
    keep(&scene, Layout::Stamped, &login, 1000);
    cursor(&scene, &json!(["mcp-remote", scene.mcp.url()]), &json!({}));
    assert_eq!(import(&scene, &[]).code, Some(0));
    let newer = shop::sign_in(&scene.auth, &scene.mcp.url());
    keep(&scene, Layout::Stamped, &newer, 10);
    let output = import(&scene, &[]);
    assert!(output.stdout.contains("sign-in moved"), "{output:?}");
    is_nothing(&import(&scene, &[]));
}

#[test]
fn an_entry_may_name_the_folder_of_its_sign_ins() {
    let (scene, login) = signed_in();
    keep(&scene, Layout::Stamped, &login, 10);
    let elsewhere = home(&scene).join("elsewhere");
    fs::rename(shop::base(&home(&scene)), &elsewhere).unwrap();
    for named in [elsewhere.to_str().unwrap(), "${HOME}/elsewhere"] {
        let env = json!({ "MCP_REMOTE_CONFIG_DIR": named });
        cursor(&scene, &json!(["mcp-remote", scene.mcp.url()]), &env);
        let output = import(&scene, &["--dry-run"]);
        assert!(
            output.stdout.contains("would be moved with its sign-in"),
            "{named}: {output:?}"
        );
    }
    assert_eq!(import(&scene, &[]).code, Some(0));
    calls(&scene, scene.launch());
}

#[test]
fn folders_that_cannot_be_read_are_named() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    scene.mcp.mcp.server.allow_idle();
    write(&scene, ".mcp-auth", "a file");
    let path = cursor(&scene, &json!(["mcp-remote", scene.mcp.url()]), &json!({}));
    let output = import(&scene, &[]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(
        output.stderr.contains(".mcp-auth cannot be read"),
        "{output:?}"
    );
    assert!(!read(&path).contains("mcp-remote"));
}

#[test]
fn a_project_that_trusts_another_authority_gets_no_sign_in() {
    let (scene, login) = signed_in();
    scene.mcp.mcp.server.allow_idle();
    keep(&scene, Layout::Stamped, &login, 10);
    for (name, value) in [
        ("NODE_TLS_REJECT_UNAUTHORIZED", "0"),
        ("NODE_EXTRA_CA_CERTS", "/x.pem"),
    ] {
        let entry = json!({ "command": "npx", "args": ["mcp-remote", scene.mcp.url()], "env": { name: value } });
        let all = json!({ "mcpServers": { "\u{1b}[31mred": entry } });
        write(&scene, ".mcp.json", &all.to_string());
        let output = import(&scene, &[]);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(
            output.stdout.contains("moved without its sign-in"),
            "{output:?}"
        );
        assert!(!output.stdout.contains('\u{1b}') && !output.stderr.contains('\u{1b}'));
        assert!(scene.records().is_empty());
    }
}

#[test]
fn a_damaged_file_is_of_no_matter_once_there_is_a_newer_sign_in() {
    let (scene, login) = signed_in();
    let damaged = keep(&scene, Layout::Stamped, &login, 10);
    cursor(&scene, &json!(["mcp-remote", scene.mcp.url()]), &json!({}));
    assert_eq!(import(&scene, &[]).code, Some(0));
    fs::write(&damaged, "{").unwrap();
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(100);
    let file = fs::File::options().write(true).open(&damaged).unwrap();
    file.set_modified(past).unwrap();
    is_nothing(&import(&scene, &[]));
}

#[test]
fn a_file_that_may_not_be_written_is_told() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    scene.mcp.mcp.server.allow_idle();
    let path = cursor(&scene, &json!(["mcp-remote", scene.mcp.url()]), &json!({}));
    let before = read(&path);
    let mut mode = fs::metadata(&path).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(&path, mode).unwrap();
    let output = import(&scene, &[]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stdout.contains("stays as it is"), "{output:?}");
    assert!(output.stderr.contains("is read-only"), "{output:?}");
    assert_eq!((read(&path), backups(&path)), (before, 0));
}
