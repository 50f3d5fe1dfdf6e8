//! What a person types: mistakes, help, the version, and exit codes.

use crate::support::launch::run;

#[test]
fn an_unknown_flag_is_an_error_with_a_suggestion() {
    for args in [
        &["https://mcp.invalid/", "--ignore-tol", "x"][..],
        &["--ignore-tol=x", "https://mcp.invalid/"],
        &["run", "https://mcp.invalid/", "--ignore-tol", "x"],
    ] {
        let output = run(args, "");
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(2), ""),
            "{output:?}"
        );
        assert!(output.stderr.contains("--ignore-tool"), "{output:?}");
    }
}

#[test]
fn mistakes_exit_with_2_and_print_nothing_on_stdout() {
    let url = "https://mcp.invalid/";
    for args in [
        &[][..],
        &["run"],
        &[url, "--transport", "smoke"],
        &[url, "--max-message-size", "lots"],
        &[url, "--max-message-size", "5"],
        &[url, "--ping-interval", "0"],
        &[url, "--grace", "-1"],
        &[url, "--header"],
        &[url, "--debug", "--silent"],
        &[url, "--log-file", "/no/such/folder/at/all\0"],
    ] {
        if args.iter().any(|arg| arg.contains('\0')) {
            continue;
        }
        let output = run(args, "");
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(2), ""),
            "{args:?}: {output:?}"
        );
        assert!(!output.stderr.is_empty(), "{args:?}");
        assert!(!output.stderr.contains("panicked"), "{args:?}: {output:?}");
    }
}

#[test]
fn a_misspelt_command_before_a_url_is_no_server() {
    let url = "https://mcp.invalid/";
    let output = run(&["logn", url], "");
    assert_eq!(output.code, Some(2), "{output:?}");
    assert_eq!(
        output.stderr,
        "mcp-tether: there is no command \"logn\"\nhint: did you mean mcp-tether login?\n"
    );
    for args in [
        &["instal", "cursor", url][..],
        &["instal", "cursor", url, "--name", "x"],
        &["instal", "--list"],
    ] {
        let output = run(args, "");
        assert_eq!(output.code, Some(2), "{output:?}");
        let hint = "there is no command \"instal\"\nhint: did you mean mcp-tether install?";
        assert!(output.stderr.contains(hint), "{output:?}");
    }
    let output = run(&["statsu"], "");
    assert!(
        output.stderr.contains("did you mean mcp-tether status?"),
        "{output:?}"
    );
    for args in [
        &[url, "logn"][..],
        &["login", url, "port"],
        &["logn", "3334"],
    ] {
        let output = run(args, "");
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(!output.stderr.contains("no command"), "{output:?}");
    }
}

#[test]
fn options_stand_before_or_after_the_url() {
    let url = "http://mcp.invalid/";
    for args in [
        &["--allow-http", url][..],
        &[url, "--allow-http"],
        &["--grace", "1", url, "--allow-http"],
        &["run", "--allow-http", url],
        &["run", url, "--grace=1", "--allow-http", "--grace=2"],
    ] {
        let output = run(args, "");
        assert_eq!(
            (output.code, output.stderr.as_str()),
            (Some(0), ""),
            "{args:?}: {output:?}"
        );
    }
}

#[test]
fn help_and_version_are_data() {
    let version = run(&["--version"], "");
    let line = format!("mcp-tether {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (version.code, version.stdout.as_str()),
        (Some(0), line.as_str())
    );
    assert_eq!(version.stderr, "");
    for args in [&["--help"][..], &["run", "--help"]] {
        let help = run(args, "");
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
        for option in [
            "--transport",
            "--header-command",
            "--ca-file",
            "--read-only",
            "--log-file",
        ] {
            assert!(help.stdout.contains(option), "{option}: {}", help.stdout);
        }
        assert!(help.stdout.lines().all(|line| !line.contains('\x1b')));
    }
}
