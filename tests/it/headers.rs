//! Headers that the user gives, by flag and file.

use crate::support::launch::{Launch, Output, run};
use crate::support::mcp::{Legacy, LegacyPlan};

const URL: &str = "https://mcp.invalid/mcp";

fn refused(output: &Output, words: &[&str]) {
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(2), ""),
        "{output:?}"
    );
    for word in words {
        assert!(output.stderr.contains(word), "no {word:?}: {output:?}");
    }
    assert!(output.stderr.contains("hint: "), "{output:?}");
    assert!(!output.stderr.contains("s3cret"), "{output:?}");
}

#[test]
fn headers_of_the_user_go_with_every_request() {
    let mcp = LegacyPlan::default().listens().serve();
    let tether = Launch::to(&mcp)
        .args(["--header", "X-Key:one", "--header", "X-Team:  a b  "])
        .args([
            "--header",
            "Authorization: Bearer ${TOKEN}!${EMPTY}",
            "--header=X-Url: a:b",
        ])
        .env("TOKEN", "s3cret\n")
        .env("EMPTY", "")
        .start();
    tether.initialize();
    mcp.listening(1);
    tether.call("1", "echo", "{}").result();
    assert_eq!(tether.finish(), 0);
    let requests = mcp.server.requests();
    for method in ["POST", "GET", "DELETE"] {
        assert!(
            requests.iter().any(|request| request.method == method),
            "{method}"
        );
    }
    for request in requests {
        assert_eq!(request.header("x-key"), Some("one"), "{request}");
        assert_eq!(request.header("x-team"), Some("a b"), "{request}");
        assert_eq!(
            request.header("authorization"),
            Some("Bearer s3cret!"),
            "{request}"
        );
        assert_eq!(request.header("x-url"), Some("a:b"), "{request}");
    }
}

#[test]
fn of_two_headers_the_later_and_of_file_and_flag_the_flag_counts() {
    let mcp = Legacy::new();
    let launch = Launch::to(&mcp);
    let (first, second) = (launch.home().join("one"), launch.home().join("two"));
    std::fs::write(
        &first,
        "# a comment\n\nX-A: file\r\nX-B: first\nX-C: ${HOME}\n",
    )
    .unwrap();
    std::fs::write(&second, "x-b: second\nX-D: flag wins").unwrap();
    let home = launch.home().to_str().unwrap().to_owned();
    let tether = launch
        .args([
            "--header",
            "X-A: early",
            "--header",
            "x-a: late",
            "--header",
            "X-D:yes",
        ])
        .arg("--header-file")
        .arg(&first)
        .arg("--header-file")
        .arg(&second)
        .start();
    tether.initialize();
    assert_eq!(tether.finish(), 0);
    let request = &mcp.calls("initialize")[0];
    let found = ["x-a", "x-b", "x-c", "x-d"].map(|name| request.header(name).unwrap());
    assert_eq!(found, ["late", "second", &home, "yes"]);
    assert_eq!(request.headers.get_all("x-a").iter().count(), 1);
}

#[test]
fn an_unset_variable_is_an_error_that_names_it() {
    let output = run(&[URL, "--header", "A: s3cret ${NOT_SET_HERE}"], "");
    refused(&output, &["--header", "NOT_SET_HERE"]);
}

#[test]
fn a_bad_header_is_an_error() {
    let bad = [
        "s3cret",
        "two words: s3cret",
        ": s3cret",
        "A: s3cret\u{1}x",
        "Content-Length: 5",
    ];
    for header in bad {
        refused(&run(&[URL, "--header", header], ""), &["--header"]);
    }
    let launch = Launch::new();
    let file = launch.home().join("headers");
    std::fs::write(&file, "A: 1\nno colon s3cret\n").unwrap();
    let path = file.to_str().unwrap().to_owned();
    let output = launch.args([URL, "--header-file", &path]).run("");
    refused(&output, &["headers", "2"]);
    let output = run(&[URL, "--header-file", "/no/such/file"], "");
    refused(&output, &["/no/such/file"]);
}

#[test]
fn a_repeatable_option_of_the_environment_has_one_value_a_line() {
    let mcp = Legacy::new();
    let tether = Launch::to(&mcp)
        .env("MCP_TETHER_HEADER", "X-A: 1\nX-B: ${TOKEN}\n")
        .env("TOKEN", "t")
        .start();
    tether.initialize();
    assert_eq!(tether.finish(), 0);
    let request = &mcp.calls("initialize")[0];
    assert_eq!(request.header("x-a"), Some("1"));
    assert_eq!(request.header("x-b"), Some("t"));
}
