//! Little that becomes much: compressed, nested or without end. The limit holds, memory stays, and the next call works.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::sse::HELLO;
use crate::support::authserver::{METADATA, Metadata, REGISTER};
use crate::support::http::Response;
use crate::support::launch::Launch;
use crate::support::mcp::Legacy;
use crate::support::scene::{Scene, addresses, say_hello};
use crate::support::server::Peer;
use crate::support::tether::Tether;

/// What each of them grows to.
const SIZE: usize = 64 << 20;

/// 64 MiB of blanks.
const BROTLI: &[u8] =
    b"\xcb\xff\xff\x3f\xf8\x25\x40\xe2\xb1\x40\x20\xf7\xfe\x8f\xff\xff\x7f\xf0\x4b\x00\xc4\x61\
    \x11\x80\xee\xfd\x1f\xff\xff\xff\xe0\x97\x00\x88\xc3\x02\x00\xdd\xfb\x3f\xfe\xff\xff\xc1\
    \x2f\x01\x10\x87\x05\x00\xba\xf7\x7f\xfc\xff\xff\x83\x5f\x02\x20\x0e\x0b\x00\x74\xef\xff\
    \xf8\xff\xff\x07\xbf\x04\x40\x1c\x16\x00\xe8\xde\xff\xf1\xff\xff\x0f\x7e\x09\x80\x38\x2c\
    \x00\xd0\xbd\xff\xcb\xff\xff\x3f\xfc\x12\x00\x71\x58\x00\xa0\x7b\xff\x07";

/// More than any codec's window, less than the bomb.
const MEMORY_KIB: usize = 48 << 10;

/// One deflate block (RFC 1951 §3.2.6): a blank, then the 258 bytes before, again and again.
fn gzip() -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let (mut bits, mut filled) = (0_u32, 0);
    let mut put = |value: u32, length: u32| {
        for at in (0..length).rev() {
            bits |= (value >> at & 1) << filled;
            filled += 1;
            if filled == 8 {
                out.push(bits.to_le_bytes()[0]);
                (bits, filled) = (0, 0);
            }
        }
    };
    // The last block, with the fixed codes, whose two bits stand the other way round.
    put(0b110, 3);
    put(0x30 + u32::from(b' '), 8);
    for _ in 0..SIZE / 258 {
        // Length 258, distance 1.
        put(0b1100_0101, 8);
        put(0, 5);
    }
    // The end of the block; nobody comes to the checksum.
    put(0, 14);
    out
}

fn bombs() -> [(&'static str, Vec<u8>); 2] {
    [("gzip", gzip()), ("br", BROTLI.to_vec())]
}

/// The most memory that the process has had was within bounds, where the system tells.
fn stayed_small(tether: &Tether) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", tether.pid()));
    let status = status.unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let Some(peak) = peak else { return };
    let kib: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < MEMORY_KIB, "it took {kib} KiB");
}

#[test]
fn a_compressed_answer_ends_at_the_limit() {
    for (coding, body) in bombs() {
        let mcp = Legacy::new();
        for media_type in ["application/json", "text/event-stream"] {
            let body = body.clone();
            mcp.times(1, "tools/call", move |_| {
                let response = Response::of(200, media_type, body.clone());
                async move { response.header("content-encoding", coding) }
            });
        }
        let launch = Launch::to(&mcp).args(["--max-message-size", "1MiB"]);
        let tether = launch.start();
        tether.initialize();
        let error = tether.call("1", "any", "{}");
        assert_eq!(error.code(), -31007, "{coding}: {}", error.text);
        let error = tether.call("2", "any", "{}").error();
        assert!(
            error["code"].as_i64().unwrap() < -31000,
            "{coding}: {error}"
        );
        tether.call("3", "echo", r#"{"text":"x"}"#).result();
        stayed_small(&tether);
    }
}

#[test]
fn the_words_of_a_refusal_are_no_bomb_either() {
    for (coding, body) in bombs() {
        let mcp = Legacy::new();
        mcp.times(1, "tools/call", move |_| {
            let response = Response::of(500, "text/plain", body.clone());
            async move { response.header("content-encoding", coding) }
        });
        let tether = Tether::to(&mcp);
        tether.initialize();
        assert_eq!(tether.call("1", "any", "{}").code(), -31003, "{coding}");
        stayed_small(&tether);
    }
}

#[test]
fn compressed_or_nested_metadata_is_not_used() {
    let deep = format!("{{\"a\":{}", "[".repeat(500_000)).into_bytes();
    for (coding, body) in bombs().into_iter().chain([("identity", deep)]) {
        let scene = Scene::with(|conduct| conduct.metadata = Metadata::Coded(body, coding));
        let tether = scene.launch().start();
        say_hello(&tether);
        assert_eq!(tether.answer("0").code(), -31004, "{coding}");
        assert_eq!(addresses(&tether.stderr()), Vec::<String>::new());
        assert!(scene.auth.asked(METADATA) >= 1);
        assert_eq!(scene.auth.asked(REGISTER), 0);
        stayed_small(&tether);
    }
}

#[test]
fn headers_without_end_are_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        let line = format!("X-More: {}\r\n", "x".repeat(8000));
        while sent.is_ok() {
            sent = stream.write_all(line.as_bytes());
        }
    });
    let tether = Launch::new().args([&url, "--initialize-wait", "0"]).start();
    let code = tether.ask("0", "initialize", HELLO).code();
    assert!((-31006..=-31001).contains(&code), "{code}");
    stayed_small(&tether);
    server.join().unwrap();
}

#[test]
fn nesting_that_would_exhaust_a_stack_is_passed_on_or_refused() {
    const DEEP: usize = 200_000;
    let nested = format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP));
    let mcp = Legacy::new();
    let result = format!(r#"{{"content":[],"tools":[{{"name":"a","x":{nested}}}]}}"#);
    for method in ["tools/call", "tools/list"] {
        let result = result.clone();
        mcp.on(method, move |call| {
            let answer = call.reply(&result);
            async move { answer }
        });
    }
    for option in ["--debug", "--read-only"] {
        let tether = Launch::to(&mcp).arg(option).start();
        tether.initialize();
        tether.send(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"x":{nested}}}}}"#
        ));
        let answer = tether.answer("1");
        assert!(answer.error.is_none(), "{option}");
        tether.send_raw(format!("{nested}\n"));
        tether.answer_without_id();
        tether.ask("2", "ping", "{}").result();
    }
    for command in ["tools", "call"] {
        let launch = Launch::new().args([command.to_owned(), mcp.url()]);
        let tool = (command == "call").then_some("a");
        let code = launch.args(tool).run("").code;
        assert!(code.is_some_and(|code| code < 7), "{command}: {code:?}");
    }
}
