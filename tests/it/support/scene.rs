//! A protected MCP server, its authorization server, a browser and a home, as most tests of the sign-in need them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::authserver::{AUTHORIZE, AuthServer, Conduct, DENY};
use super::browser::Browser;
use super::launch::Launch;
use super::mcp::LATEST;
use super::protected::Protected;
use super::rpc::{self, Rpc};
use super::server::{Peer, Plan};
use super::tether::Tether;
use super::visit::{self, Page};

/// All of it. Every process that it starts shares the home.
pub struct Scene {
    /// The MCP server.
    pub mcp: Protected,
    /// Its authorization server.
    pub auth: AuthServer,
    /// The browser of the user.
    pub browser: Browser,
    home: Arc<TempDir>,
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Scene {
    /// Servers that do all as they should, and a browser that waits for the test.
    pub fn new() -> Self {
        Self::of(Plan::default(), Browser::new())
    }

    /// Servers that do all as they should, and a browser that follows each address at once.
    pub fn following() -> Self {
        Self::of(Plan::default(), Browser::following())
    }

    /// An authorization server that behaves as that says, and a browser that waits for the test.
    pub fn with(change: impl FnOnce(&mut Conduct)) -> Self {
        let scene = Self::new();
        scene.auth.set(change);
        scene
    }

    /// An authorization server of that plan, and that browser.
    pub fn of(plan: Plan, browser: Browser) -> Self {
        let auth = AuthServer::on(plan);
        Self {
            mcp: Protected::new(&auth),
            auth,
            browser,
            home: Arc::new(TempDir::new().expect("a folder")),
        }
    }

    /// The bridge to the MCP server.
    pub fn launch(&self) -> Launch {
        self.program().arg(self.mcp.url())
    }

    /// Another command about the MCP server.
    pub fn command(&self, name: &str) -> Launch {
        self.program().args([name.to_owned(), self.mcp.url()])
    }

    /// The binary in this home, without a URL.
    pub fn program(&self) -> Launch {
        self.around(env!("CARGO_BIN_EXE_mcp-tether"))
    }

    /// Another program in this home, which may start the binary.
    pub fn around(&self, program: &str) -> Launch {
        Launch::program(program)
            .watch(&self.mcp)
            .watch(&self.auth)
            .at_home(&self.home)
            .env("BROWSER", self.browser.command())
            .env("MCP_TETHER_STORE", "file")
    }

    /// A bridge whose user has signed in, by the address on stderr; its handshake is through.
    pub fn signed_in(&self) -> Tether {
        self.sign_in(self.launch())
    }

    /// The same with a bridge that is about to start.
    pub fn sign_in(&self, launch: Launch) -> Tether {
        let before = self.listening();
        let tether = launch.start();
        say_hello(&tether);
        let page = visit::follow(&address(&tether));
        assert_eq!(page.status, 200, "{page}");
        welcomed(&tether);
        self.mcp.wait_admitted("GET", before + 1);
        tether
    }

    /// A bridge whose user had signed in before; its handshake is through.
    pub fn again(&self) -> Tether {
        let before = self.listening();
        let tether = self.launch().start();
        tether.initialize();
        self.mcp.wait_admitted("GET", before + 1);
        tether
    }

    /// How often a bridge came to listen, which is the last step of its handshake.
    fn listening(&self) -> usize {
        let gets = |all: &[String]| all.iter().filter(|own| *own == "GET").count();
        self.mcp.admitted.with(gets)
    }

    /// The folder that `MCP_TETHER_HOME` names.
    pub fn home(&self) -> PathBuf {
        self.home.path().join("tether")
    }

    /// The files of the store that hold sign-ins.
    pub fn records(&self) -> Vec<PathBuf> {
        json_files(&self.home().join("credentials"))
    }

    /// Changes what is kept of each sign-in, as time does.
    pub fn change_records(&self, change: impl Fn(&mut Value)) {
        for path in self.records() {
            let text = std::fs::read(&path).expect("read a record");
            let mut record: Value = serde_json::from_slice(&text).expect("a record is JSON");
            change(&mut record);
            std::fs::write(&path, record.to_string()).expect("write a record");
        }
    }

    /// Lets the access tokens end by the clock, for the bridge and for the server.
    pub fn expire(&self) {
        self.auth.end_access();
        self.change_records(|record| {
            record["tokens"]["obtained_at"] = 1000.into();
            record["tokens"]["expires_at"] = 2000.into();
        });
    }
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|own| own == "json"))
        .collect()
}

/// Sends `initialize` with id 0 and does not wait.
pub fn say_hello(tether: &Tether) {
    let params = format!(
        r#"{{"protocolVersion":"{LATEST}","capabilities":{{}},"clientInfo":{{"name":"it","version":"1.0.0"}}}}"#
    );
    tether.send(&rpc::request("0", "initialize", &params));
}

/// Waits for the answer to `initialize` and finishes the handshake.
pub fn welcomed(tether: &Tether) -> Rpc {
    let answer = tether.answer("0");
    answer.result();
    tether.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    answer
}

/// The addresses of sign-ins in a text.
pub fn addresses(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || c == '"');
    let ours = |word: &&str| word.starts_with("http") && word.contains(&format!("{AUTHORIZE}?"));
    words
        .filter(ours)
        .map(|word| word.trim_end_matches([',', '.']).to_owned())
        .collect()
}

/// The address of the sign-in that stderr shows. Waits for it.
pub fn address(tether: &Tether) -> String {
    nth_address(tether, 1)
}

/// The `nth` address on stderr, counted from 1. Waits for it.
pub fn nth_address(tether: &Tether, nth: usize) -> String {
    tether.wait_stderr_for(&format!("address {nth}"), |text| {
        // The last line may not be whole yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        addresses(whole).get(nth - 1).cloned()
    })
}

/// The page and the code of the `nth` sign-in by device code that stderr shows, counted from 1. Waits for it.
pub fn nth_code(tether: &Tether, nth: usize) -> (String, String) {
    tether.wait_stderr_for(&format!("code {nth}"), |text| {
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines();
        let mut told = lines.filter_map(|line| {
            line.split_once(" sign in at ")?
                .1
                .split_once(" with the code ")
        });
        let (page, rest) = told.nth(nth - 1)?;
        let code = rest.split(", or at ").next()?;
        Some((page.to_owned(), code.to_owned()))
    })
}

/// Enters a code at that page, and consents.
pub fn enter((page, code): &(String, String)) {
    let page = visit::follow(&format!("{page}?user_code={code}"));
    assert_eq!(page.status, 200, "{page}");
}

/// Says no at that address.
pub fn deny(address: &str) -> Page {
    visit::follow(&format!("{address}&{DENY}=1"))
}
