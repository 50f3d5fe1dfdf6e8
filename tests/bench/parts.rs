//! Where the instructions go: callgrind's counts by the source that each stands for, so that what the compiler put into another
//! function still counts for the part that it came from.

use std::collections::HashMap;

/// The parts, and what the path of a file or the name of a function in each of them holds; the first that fits counts.
const PARTS: [(&str, &[&str]); 13] = [
    (
        "bridge",
        &["src/bridge", "src/era", "tether::bridge", "tether::era"],
    ),
    (
        "stdio, queues",
        &[
            "src/queue",
            "transport/stdio",
            "tether::queue",
            "transport::stdio",
        ],
    ),
    (
        "messages, JSON",
        &[
            "src/jsonrpc",
            "/serde",
            "/itoa-",
            "tether::jsonrpc",
            "serde_",
        ],
    ),
    (
        "events",
        &[
            "transport/events.rs",
            "http/stream.rs",
            "/memchr-",
            "transport::Events",
            "transport::events",
            "memchr::",
        ],
    ),
    (
        "HTTP, our part",
        &[
            "src/transport",
            "src/net/client",
            "src/auth",
            "tether::transport",
            "tether::net",
            "tether::auth",
        ],
    ),
    (
        "URLs, cookies",
        &[
            "/url-",
            "/idna-",
            "/percent-",
            "/cookie",
            "/tower",
            "url::",
            "idna::",
            "cookie",
            "tower",
        ],
    ),
    ("reqwest", &["/reqwest-", "reqwest::"]),
    (
        "hyper",
        &[
            "/hyper",
            "/http-",
            "/httparse-",
            "/want-",
            "hyper",
            "http::",
            "httparse::",
        ],
    ),
    (
        "tokio",
        &[
            "/tokio-",
            "/mio-",
            "/futures-",
            "/slab-",
            "tokio::",
            "mio::",
            "futures_",
        ],
    ),
    (
        "allocations",
        &["/malloc/", "/sys/alloc", "__rust_", "raw_vec"],
    ),
    ("copies", &["/string/", "/mem.rs"]),
    ("hashing", &["/hash/", "hash::"]),
    ("formatting", &["/core/src/fmt", "core::fmt"]),
];

/// What stands for whoever uses it.
const LIBRARIES: [&str; 5] = [
    "/library/",
    "/rust/deps/",
    "/bytes-",
    "/hashbrown-",
    "/smallvec-",
];

/// The titles of the parts, and of what is in none of them.
pub fn titles() -> impl Iterator<Item = &'static str> {
    PARTS.iter().map(|(title, _)| *title).chain(["other"])
}

/// Sums up what callgrind wrote, by part; `None` where the program does not say which source it is made of.
pub fn sums(written: &str) -> Option<Vec<f64>> {
    let mut sums = vec![0.0; PARTS.len() + 1];
    let (mut files, mut functions) = (Names::default(), Names::default());
    let (mut file, mut function) = ("", "");
    let mut lines = written.lines();
    while let Some(line) = lines.next() {
        match line.split_once('=') {
            Some(("fl" | "fi" | "fe", name)) => file = files.read(name),
            Some(("fn", name)) => function = functions.read(name),
            Some(("cfl" | "cfi", name)) => _ = files.read(name),
            Some(("cfn", name)) => _ = functions.read(name),
            // What the function that was called took counts where that is.
            Some(("calls", _)) => _ = lines.next(),
            _ => {
                let sum = sums.get_mut(part(file, function));
                if let (Some(sum), Some(cost)) = (sum, cost(line)) {
                    *sum += cost;
                }
            }
        }
    }
    let told = files.0.values().any(|file| file.contains("/tokio-"));
    told.then_some(sums)
}

/// Names come with a number once, and as the number alone later.
#[derive(Default)]
struct Names<'a>(HashMap<&'a str, &'a str>);

impl<'a> Names<'a> {
    fn read(&mut self, text: &'a str) -> &'a str {
        let (number, name) = text.split_once(' ').unwrap_or((text, ""));
        self.0.entry(number).or_insert(name)
    }
}

/// Which part a line of this file in this function belongs to.
fn part(file: &str, function: &str) -> usize {
    let of = |name: &str| {
        let mut parts = PARTS.iter();
        parts.position(|(_, holds)| holds.iter().any(|part| name.contains(part)))
    };
    let own = !LIBRARIES.iter().any(|part| file.contains(part));
    let first = own.then(|| of(file)).flatten();
    let found = first.or_else(|| of(function)).or_else(|| of(file));
    found.unwrap_or(PARTS.len())
}

/// The cost in a line of costs: a place and a count.
fn cost(line: &str) -> Option<f64> {
    let (place, cost) = line.split_once(' ')?;
    let counts = place.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first));
    counts.then(|| cost.parse().ok())?
}
