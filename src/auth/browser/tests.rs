use std::fs;
use std::path::{Path, PathBuf};

use super::{MAX_URL, SafeUrl, Unsafe, commands, open};

fn safe(text: &str) -> SafeUrl {
    SafeUrl::new(text).unwrap()
}

#[test]
fn only_https_and_this_machine_are_opened() {
    for text in [
        "https://as.example/authorize?client_id=a&state=b",
        "HTTPS://as.example/",
        "http://localhost:8080/authorize",
        "http://127.0.0.1:1/a",
        "http://[::1]:9/a",
    ] {
        assert!(SafeUrl::new(text).is_ok(), "{text}");
    }
    let table = [
        ("javascript:alert(1)", Unsafe::Scheme),
        ("JavaScript://as.example/%0aalert(1)", Unsafe::Scheme),
        ("data:text/html,<script>alert(1)</script>", Unsafe::Scheme),
        ("vbscript:x", Unsafe::Scheme),
        ("file:///etc/passwd", Unsafe::Scheme),
        ("file://server/share/x.exe", Unsafe::Scheme),
        ("ms-msdt:/id", Unsafe::Scheme),
        ("ftp://as.example/", Unsafe::Scheme),
        ("http://as.example/authorize", Unsafe::Scheme),
        ("http://localhost.evil.example/", Unsafe::Scheme),
        ("http://167772161/", Unsafe::Scheme),
        ("", Unsafe::Unparsable),
        ("calc.exe", Unsafe::Unparsable),
        ("--version", Unsafe::Unparsable),
        ("/etc/passwd", Unsafe::Unparsable),
        ("\\\\server\\share", Unsafe::Unparsable),
        ("https://", Unsafe::Unparsable),
        ("https://u:p@as.example/", Unsafe::UserInfo),
        ("https://as.example@evil.example/", Unsafe::UserInfo),
        ("https://:p@as.example/", Unsafe::UserInfo),
        ("https://$(id).example/", Unsafe::Host),
        ("https://`id`.example/", Unsafe::Host),
        ("https://a&calc.example/", Unsafe::Host),
        (" https://as.example/", Unsafe::Characters),
        ("https://as.example/a b", Unsafe::Characters),
        ("java\nscript:alert(1)", Unsafe::Characters),
        ("https://as.example/\r\nX: y", Unsafe::Characters),
        ("https://as.example/\0", Unsafe::Characters),
        ("https://as.example/\u{1b}[2J", Unsafe::Characters),
        ("https://as.example/\u{7f}", Unsafe::Characters),
    ];
    for (text, wrong) in table {
        assert_eq!(SafeUrl::new(text), Err(wrong), "{text:?}");
        assert!(text.is_empty() || !wrong.to_string().contains(text));
    }
}

#[test]
fn what_a_shell_could_read_is_encoded() {
    let table = [
        (
            "https://as/a?x=$(calc)`id`|z",
            "https://as/a?x=%24%28calc%29%60id%60%7Cz",
        ),
        (
            "https://as/'\"<>^{}\\x?'\"<>^{}\\x",
            "https://as/%27%22%3C%3E%5E%7B%7D/x?%27%22%3C%3E%5E%7B%7D%5Cx",
        ),
        ("https://as\\@evil.example/", "https://as/@evil.example/"),
        ("https:\\\\as\\a", "https://as/a"),
        (
            "https://\u{e4}.example/\u{e4}",
            "https://xn--4ca.example/%C3%A4",
        ),
        (
            "https://as/?scope=a+b%20c&resource=https%3A%2F%2Fh%2Fmcp;d#e",
            "https://as/?scope=a+b%20c&resource=https%3A%2F%2Fh%2Fmcp;d#e",
        ),
    ];
    for (text, wanted) in table {
        assert_eq!(safe(text).as_str(), wanted);
        assert_eq!(safe(wanted).as_str(), wanted);
    }
}

#[test]
fn the_length_counts_before_and_after_encoding() {
    let long = |filler: &str, length: usize| format!("https://as/?{}", filler.repeat(length));
    assert!(SafeUrl::new(&long("a", MAX_URL - 12)).is_ok());
    assert_eq!(SafeUrl::new(&long("a", MAX_URL - 11)), Err(Unsafe::TooLong));
    assert_eq!(SafeUrl::new(&long("$", MAX_URL / 2)), Err(Unsafe::TooLong));
}

#[cfg(unix)]
#[test]
fn a_browser_list_becomes_arguments() {
    let url = safe("https://as/?a=b;c");
    let table: [(&str, &[&[&str]]); 5] = [
        ("firefox", &[&["firefox", "https://as/?a=b;c"]]),
        (
            "chromium --app=%s -x",
            &[&["chromium", "--app=https://as/?a=b;c", "-x"]],
        ),
        (
            " :a b: %s ",
            &[
                &["a", "b", "https://as/?a=b;c"],
                &["%s", "https://as/?a=b;c"],
            ],
        ),
        (
            "sh -c $(id)",
            &[&["sh", "-c", "$(id)", "https://as/?a=b;c"]],
        ),
        (" : ", &[]),
    ];
    for (list, wanted) in table {
        assert_eq!(commands(list, &url), wanted, "{list}");
    }
}

/// A browser that writes down its arguments, one a line.
#[cfg(unix)]
fn stub(folder: &Path, name: &str, end: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    let notes = folder.join("notes");
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" >>'{}'\n{end}\n",
        notes.display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[cfg(unix)]
#[tokio::test]
async fn the_browser_gets_the_address_as_one_argument() {
    let folder = tempfile::tempdir().unwrap();
    let browser = stub(folder.path(), "my browser", "exit 0");
    let url = safe("https://as/a?x=$(touch${IFS}owned)`id`;ls&y=*");
    open(&url, browser.to_str()).await.unwrap();
    let notes = fs::read_to_string(folder.path().join("notes")).unwrap();
    assert_eq!(notes, format!("1\n{url}\n"));
}

#[cfg(unix)]
#[tokio::test]
async fn the_next_browser_is_tried_when_one_fails() {
    let folder = tempfile::tempdir().unwrap();
    let bad = stub(folder.path(), "bad", "exit 3");
    let good = stub(folder.path(), "good", "exit 0");
    let list = format!(
        "/no/such/browser:{}:{} -n %s",
        bad.display(),
        good.display()
    );
    open(&safe("https://as/"), Some(&list)).await.unwrap();
    let notes = fs::read_to_string(folder.path().join("notes")).unwrap();
    assert_eq!(notes, "1\nhttps://as/\n2\n-n\nhttps://as/\n");
}

#[cfg(unix)]
#[tokio::test]
async fn a_failure_names_the_command_and_not_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let bad = stub(folder.path(), "bad", "exit 3");
    let list = format!("{}:/no/such/browser", bad.display());
    let wrong = open(&safe("https://as/?state=s3cret"), Some(&list)).await;
    let said = wrong.unwrap_err().to_string();
    assert!(said.contains("exit status: 3"), "{said}");
    assert!(said.contains("/no/such/browser: "), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}
