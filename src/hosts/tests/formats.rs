//! Entries put into, found in and taken out of texts of each format.

use crate::hosts::{Entry, by_id};

fn entry() -> Entry {
    Entry {
        name: "linear".to_owned(),
        command: "/opt/bin/mcp-tether".to_owned(),
        args: vec![
            "https://mcp.linear.app/mcp".to_owned(),
            "--silent".to_owned(),
        ],
        env: vec![("TOKEN".to_owned(), "a: # b".to_owned())],
    }
}

fn put(host: &str, text: &str) -> String {
    let host = by_id(host).unwrap();
    let after = host
        .put(text, &entry())
        .unwrap_or_else(|broken| panic!("{broken}\n{text}"));
    assert_eq!(
        host.put(&after, &entry()).as_ref(),
        Ok(&after),
        "not idempotent"
    );
    let found = host.entries(&after).unwrap();
    assert!(found.contains(&entry()), "{found:?}\n{after}");
    after
}

/// Puts an entry in and takes it out again.
fn there_and_back(host: &str, text: &str) {
    let after = put(host, text);
    let back = by_id(host).unwrap().remove(&after, "linear");
    assert_eq!(back.as_deref(), Ok(text), "{after}");
}

#[test]
fn each_host_reads_what_it_was_given_in_a_new_file() {
    for host in crate::hosts::all() {
        let text = put(host.id, host.blank());
        assert!(text.ends_with('\n'), "{}: {text}", host.id);
        let gone = host.remove(&text, "linear").unwrap();
        assert_eq!(host.entries(&gone), Ok(Vec::new()), "{}", host.id);
    }
}

#[test]
fn a_new_json_file_is_indented_and_ends_with_a_newline() {
    let wanted = r#"{
  "mcpServers": {
    "linear": {
      "command": "/opt/bin/mcp-tether",
      "args": ["https://mcp.linear.app/mcp", "--silent"],
      "env": {
        "TOKEN": "a: # b"
      }
    }
  }
}
"#;
    assert_eq!(put("cursor", ""), wanted);
}

#[test]
fn all_else_in_a_file_stays() {
    let json = "// mine\n{\n\t\"a\" : [1,2 , 3],   // odd\n\t/* b */ \"mcpServers\": {\n\t\t\"x\": { \"command\": \"x\" }, // last\n\t},\n}\n";
    there_and_back("cursor", json);
    there_and_back(
        "vscode",
        "{\n    \"inputs\": [],\n    \"servers\": {\n        \"x\": {\"url\": \"https://x\"}\n    }\n}",
    );
    there_and_back(
        "codex",
        "# top\nmodel = \"o3\"  # which\n\n[mcp_servers.x]\ncommand = 'x'\n# in x\nargs = [\n  1, # one\n]\n\n# about tui\n[tui]\ntheme = \"x\"\n# end\n",
    );
    there_and_back(
        "goose",
        "# top\nextensions:\n    x:  # the x\n        cmd: \"x\"\n        args: [1, 'b']\n    # after x\n\nGOOSE_MODEL: gpt # m\n",
    );
    there_and_back("goose", "extensions:\n  x: {cmd: x, args: []}\n\n\n# end\n");
    there_and_back(
        "continue",
        "name: x\nmcpServers:\n# before\n- name: a\n  command: b # c\n# after\nmodels: []\n",
    );
    there_and_back(
        "continue",
        "name: x\nmcpServers:\n    - name: a\n      command: |\n        b\n\nmodels: []\n",
    );
}

#[test]
fn line_ends_and_the_byte_order_mark_stay() {
    for (host, text) in [
        (
            "cursor",
            "{\n  \"mcpServers\": {\n    \"x\": {\n      \"command\": \"x\"\n    }\n  }\n}\n",
        ),
        ("codex", "# a\n[mcp_servers.x]\ncommand = 'x'\n"),
        ("goose", "extensions:\n  x:\n    cmd: x\n# b\nc: d\n"),
    ] {
        let windows = text.replace('\n', "\r\n");
        let after = put(host, &windows);
        assert_eq!(
            after.matches('\n').count(),
            after.matches("\r\n").count(),
            "{after:?}"
        );
        there_and_back(host, &windows);
        there_and_back(host, &format!("\u{feff}{windows}"));
        // The first line alone ends in the old way.
        there_and_back(host, &text.replacen('\n', "\r\n", 1));
    }
}

#[test]
fn what_is_there_of_the_same_name_is_replaced_and_its_other_members_stay() {
    let json = "{\n  \"mcpServers\": {\n    // why\n    \"linear\": {\n      \"command\": \"npx\", // old\n      \"args\": [\"-y\", \"mcp-remote\"],\n      \"env\": {\"A\": \"b\"},\n      \"disabled\": true, \"autoApprove\": [\"x\"]\n    }\n  }\n}\n";
    let after = put("cline", json);
    for kept in [
        "// why",
        "// old",
        "\"disabled\": true, \"autoApprove\": [\"x\"]",
    ] {
        assert!(after.contains(kept), "{after}");
    }
    let toml = "[mcp_servers.linear]\n# why\ncommand = \"npx\" # old\nargs = []\nstartup_timeout_sec = 20\n\n[mcp_servers.linear.env]\nA = \"b\"\n";
    let after = put("codex", toml);
    for kept in [
        "# why",
        "# old",
        "startup_timeout_sec = 20",
        "[mcp_servers.linear.env]\nTOKEN",
    ] {
        assert!(after.contains(kept), "{after}");
    }
    let yaml = "extensions:\n  linear:\n    # why\n    cmd: npx # old\n    args: [-y]\n    timeout: 20\n    enabled: false\n";
    let after = put("goose", yaml);
    for kept in ["# why", "# old", "timeout: 20\n", "enabled: false\n"] {
        assert!(after.contains(kept), "{after}");
    }
    let list = "mcpServers:\n  - name: linear\n    command: npx # old\n    cwd: /x\n  - name: b\n";
    let after = put("continue", list);
    for kept in ["# old", "cwd: /x\n", "- name: b\n"] {
        assert!(after.contains(kept), "{after}");
    }
}

#[test]
fn an_entry_without_variables_loses_those_of_the_old_one() {
    let host = by_id("cursor").unwrap();
    let text = put("cursor", "");
    let bare = Entry {
        env: Vec::new(),
        ..entry()
    };
    let after = host.put(&text, &bare).unwrap();
    assert_eq!(host.entries(&after), Ok(vec![bare]));
    assert!(!after.contains("env"), "{after}");
}

#[test]
fn a_remote_entry_becomes_a_local_one() {
    let text = r#"{"servers": {"linear": {"type": "http", "url": "https://x", "headers": {"a": "b"}, "gallery": true}}}"#;
    let after = put("vscode", text);
    assert!(
        after.contains("\"stdio\"") && after.contains("gallery"),
        "{after}"
    );
    assert!(
        !after.contains("headers") && !after.contains("https://x"),
        "{after}"
    );
    let after = put(
        "opencode",
        r#"{"mcp": {"linear": {"type": "remote", "url": "https://x"}}}"#,
    );
    assert!(after.contains("\"local\""), "{after}");
}

#[test]
fn entries_are_told_in_one_form_and_remote_ones_not_at_all() {
    let table = [
        (
            "zed",
            r#"{"context_servers": {"linear": {"command": {"path": "a", "args": ["b"], "env": {"C": "d"}}, "settings": {}}}}"#,
        ),
        (
            "zed",
            r#"{"context_servers": {"linear": {"source": "custom", "command": "a", "args": ["b"], "env": {"C": "d"}}}}"#,
        ),
        (
            "opencode",
            r#"{"mcp": {"linear": {"type": "local", "command": ["a", "b"], "environment": {"C": "d"}}, "x": {"type": "remote", "url": "https://x"}}}"#,
        ),
        (
            "opencode",
            r#"{"mcp": {"servers": {"linear": {"type": "local", "command": ["a", "b"], "environment": {"C": "d"}}}}}"#,
        ),
        (
            "goose",
            "extensions:\n  linear: {cmd: a, args: [b], envs: {C: d}}\n  developer: {type: builtin}\n",
        ),
        (
            "continue",
            "mcpServers:\n  - {name: linear, command: a, args: [b], env: {C: d}}\n  - {name: x, url: 'https://x'}\n",
        ),
        (
            "codex",
            "mcp_servers.linear = { command = 'a', args = ['b'], env = { C = 'd' } }\nmcp_servers.x = { url = 'x' }\n",
        ),
        (
            "amp",
            r#"{"amp.mcpServers": {"linear": {"command": "a", "args": ["b"], "env": {"C": "d"}}}}"#,
        ),
    ];
    let wanted = Entry {
        name: "linear".to_owned(),
        command: "a".to_owned(),
        args: vec!["b".to_owned()],
        env: vec![("C".to_owned(), "d".to_owned())],
    };
    for (host, text) in table {
        assert_eq!(
            by_id(host).unwrap().entries(text),
            Ok(vec![wanted.clone()]),
            "{text}"
        );
        put(host, text);
    }
}

#[test]
fn entries_of_single_projects_stand_apart() {
    let host = by_id("claude-code").unwrap();
    let text = r#"{"mcpServers": {}, "projects": {"/a": {}, "/b": {"mcpServers": {"x": {"command": "y"}}}}}"#;
    let scopes = host.scopes(text).unwrap();
    let projects: Vec<Option<&str>> = scopes
        .iter()
        .map(|scope| scope.project.as_deref())
        .collect();
    assert_eq!(projects, [None, Some("/b")]);
    assert_eq!(host.entries_in(text, &scopes[1]).unwrap().len(), 1);
    let after = host.put_in(text, &scopes[1], &entry()).unwrap();
    assert_eq!(host.entries(&after), Ok(Vec::new()));
    assert_eq!(host.entries_in(&after, &scopes[1]).unwrap().len(), 2);
}

#[test]
fn a_broken_file_is_told_by_line_and_column() {
    let table = [
        ("cursor", "{\n  \"a\": 1\n  \"b\": 2\n}", (2, 9)),
        ("cursor", "{\n  'a': 1\n}", (2, 3)),
        ("cursor", "[]", (1, 1)),
        ("cursor", "{\n \"mcpServers\": []}", (2, 2)),
        (
            "cursor",
            "{\"mcpServers\": {\"linear\": {},\n\"linear\": {}}}",
            (2, 2),
        ),
        ("codex", "a = 1\nb = = 2\n", (2, 5)),
        ("codex", "a = 1\na = 2\n", (2, 1)),
        ("codex", "mcp_servers = 3\n", (1, 1)),
        ("goose", "a: b: c\n", (1, 5)),
        ("goose", "a: 1\nb: [\n", (3, 1)),
        ("goose", "a: 1\na: 2\n", (2, 1)),
        ("goose", "\ta: 1\n", (1, 1)),
        ("goose", "- a\n", (1, 1)),
        ("goose", "a: 1\n---\nb: 1\n", (1, 5)),
        ("goose", "extensions: 3\n", (1, 1)),
        ("continue", "mcpServers: {}\n", (1, 1)),
    ];
    for (host, text, (line, column)) in table {
        let Err(broken) = by_id(host).unwrap().put(text, &entry()) else {
            panic!("not refused: {text}");
        };
        assert_eq!(
            (broken.line, broken.column),
            (line, column),
            "{text}: {broken}"
        );
    }
}

#[test]
fn nothing_in_a_file_is_as_good_as_no_member() {
    for (host, text) in [
        ("cursor", "{\"mcpServers\": null}\n"),
        ("cursor", "// nothing yet\n"),
        ("codex", "# nothing yet\n"),
        ("goose", "extensions:\nx: 1\n"),
        ("goose", "extensions: {} # none\n"),
        ("goose", "# nothing yet\n"),
        ("goose", "---\n# nothing yet\nx: 1\n"),
        ("continue", "name: x\nmcpServers: []\n"),
        ("continue", "mcpServers:\nname: x\n"),
    ] {
        let after = put(host, text);
        let comments: Vec<&str> = text
            .matches(" nothing yet")
            .chain(text.matches(" none"))
            .collect();
        assert!(
            comments.iter().all(|comment| after.contains(comment)),
            "{after}"
        );
    }
}

#[test]
fn a_comment_apart_from_an_entry_outlives_it() {
    for (host, text) in [
        (
            "codex",
            "a = 1\n\n# ---- servers ----\n\n# linear\n[mcp_servers.linear]\ncommand = 'x'\n\n[z]\nz = 1\n",
        ),
        (
            "goose",
            "a: 1\nextensions:\n  # ---- servers ----\n\n  # linear\n  linear:\n    cmd: x\n  z: {cmd: z}\n",
        ),
        (
            "cursor",
            "{\n  \"mcpServers\": {\n    // ---- servers ----\n\n    // linear\n    \"linear\": {\n      \"command\": \"x\"\n    },\n    \"z\": {\"command\": \"z\"}\n  }\n}\n",
        ),
    ] {
        let after = by_id(host).unwrap().remove(text, "linear").unwrap();
        assert!(after.contains("---- servers ----"), "{after}");
        assert!(
            !after.contains("linear\"") && !after.contains("linear:"),
            "{after}"
        );
    }
}

#[test]
fn comments_of_a_section_stay_apart_from_the_next_entry() {
    let text = "[mcp_servers.a]\ncommand = 'a'\n\n# section two\n\n# about b\n[mcp_servers.b]\ncommand = 'b'\n\n# about c\n[mcp_servers.c]\ncommand = 'c'\n";
    let codex = by_id("codex").unwrap();
    let without_b = codex.remove(text, "b").unwrap();
    let wanted = "\n\n# section two\n\n# about c\n[mcp_servers.c]";
    assert!(without_b.contains(wanted), "{without_b}");
    let without_c = codex.remove(&without_b, "c").unwrap();
    assert!(without_c.contains("# section two"), "{without_c}");
    assert!(!without_c.contains("# about"), "{without_c}");
}

#[test]
fn new_lines_are_indented_as_the_file_is() {
    let yaml = put("goose", "extensions:\n    x:\n        cmd: x\n");
    let wanted = "\n    linear:\n        enabled: true\n        type: stdio\n";
    assert!(yaml.contains(wanted), "{yaml}");
    assert!(
        yaml.contains("\n        envs:\n            TOKEN: "),
        "{yaml}"
    );
    let json = put("cursor", "{\n\t\"mcpServers\": {\n\t\t\"x\": {}\n\t}\n}\n");
    assert!(
        json.contains("\n\t\t\"linear\": {\n\t\t\t\"command\""),
        "{json}"
    );
}

#[test]
fn a_carriage_return_that_ends_no_line_is_refused() {
    let host = by_id("goose").unwrap();
    for text in ["extensions: {}\nother: 1\r\r\n", "extensions: {}\r"] {
        let wrong = host.put(text, &entry()).unwrap_err();
        assert!(wrong.to_string().contains("carriage return"), "{wrong}");
    }
}
