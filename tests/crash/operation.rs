//! What is tried: commands that change something, and the state that each finds.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::shop::{self, Layout};
use crate::support::authserver::Refresh;
use crate::support::browser::Browser;
use crate::support::launch::{Launch, Output};
use crate::support::mcp::LATEST;
use crate::support::rpc;
use crate::support::scene::Scene;
use crate::support::server::{Peer, Plan};
use crate::talk;

/// Something that the program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A first sign-in, with `login`.
    Login,
    /// A first sign-in, in a bridge.
    SignIn,
    /// A sign-in for more scope, in a bridge.
    StepUp,
    /// A refresh at a server that gives no new refresh token.
    RefreshKept,
    /// A refresh at a server that gives a new one, and takes the old one once more.
    RefreshForgiven,
    /// A refresh at a server that gives a new one, and ends the sign-in when it sees the old one again.
    RefreshSpent,
    /// `logout`.
    Logout,
    /// `doctor`, which tries the store.
    Doctor,
    /// `install` into a file that a host has.
    Install,
    /// `install` where there is no file yet.
    InstallFirst,
    /// `uninstall`.
    Uninstall,
    /// `import` of a sign-in and an entry of mcp-remote.
    Import,
}

use Operation::{
    Doctor, Import, Install, InstallFirst, Login, Logout, RefreshForgiven, RefreshKept,
    RefreshSpent, SignIn, StepUp, Uninstall,
};

/// All of them.
pub const ALL: [Operation; 12] = [
    Login,
    SignIn,
    StepUp,
    RefreshKept,
    RefreshForgiven,
    RefreshSpent,
    Logout,
    Doctor,
    Install,
    InstallFirst,
    Uninstall,
    Import,
];

/// The server that `install` is told.
const SERVER: &str = "https://example.com/mcp";

/// What a host has in its file, in a form of its own.
const HOST_FILE: &str =
    "{\n      // mine\n  \"mcpServers\": { \"other\": {\"command\": \"x\"} },\n}\n";

/// The account beside the one that an operation is about.
const OTHER: &str = "other";

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Login => "login",
            SignIn => "sign-in",
            StepUp => "step-up",
            RefreshKept => "refresh-kept",
            RefreshForgiven => "refresh-forgiven",
            RefreshSpent => "refresh-spent",
            Logout => "logout",
            Doctor => "doctor",
            Install => "install",
            InstallFirst => "install-first",
            Uninstall => "uninstall",
            Import => "import",
        })
    }
}

impl Operation {
    /// Whether it has to do with sign-ins.
    fn has_accounts(self) -> bool {
        !matches!(self, Install | InstallFirst | Uninstall)
    }

    /// Whether its own account was signed in before, and has to stay so.
    pub fn keeps_account(self) -> bool {
        matches!(
            self,
            StepUp | RefreshKept | RefreshForgiven | RefreshSpent | Doctor
        )
    }

    /// Whether it is a refresh.
    pub fn is_refresh(self) -> bool {
        matches!(self, RefreshKept | RefreshForgiven | RefreshSpent)
    }

    /// Whether nobody has to do anything.
    pub fn is_silent(self) -> bool {
        !matches!(self, Login | SignIn | StepUp)
    }

    /// Whether it writes to the file of a host.
    pub fn changes_host(self) -> bool {
        matches!(self, Install | InstallFirst | Uninstall | Import)
    }

    /// What the bridge is told.
    pub fn lines(self) -> String {
        let tool = match self {
            SignIn | RefreshKept | RefreshForgiven | RefreshSpent => "echo",
            StepUp => "add",
            _ => return String::new(),
        };
        lines(tool)
    }
}

fn lines(tool: &str) -> String {
    let hello = format!(
        r#"{{"protocolVersion":"{LATEST}","capabilities":{{}},"clientInfo":{{"name":"it","version":"1.0.0"}}}}"#
    );
    let hello = rpc::request("0", "initialize", &hello);
    let welcomed = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let call = rpc::call("1", tool, r#"{"a":1,"b":2}"#);
    format!("{hello}\n{welcomed}\n{call}\n")
}

/// Servers, a browser and a home in which an operation can be done.
pub struct Stage {
    /// What it is for.
    pub operation: Operation,
    /// The servers and the browser.
    pub scene: Scene,
    /// What the host's file said.
    pub before: Option<String>,
    /// How many authorizations there were.
    authorizations: usize,
}

impl Stage {
    /// Sets all up.
    pub fn set(operation: Operation) -> Self {
        let scene = Scene::of(Plan::default(), Browser::following());
        let mut stage = Self {
            operation,
            scene,
            before: None,
            authorizations: 0,
        };
        stage.scene.auth.server.allow_idle();
        stage.scene.mcp.mcp.server.allow_idle();
        stage.scene.mcp.set(|door| {
            door.challenge = Some("read");
            door.scopes.insert("add", "write");
        });
        if operation.has_accounts() {
            done(
                stage
                    .scene
                    .command("login")
                    .args(["--profile", OTHER])
                    .run(""),
            );
        }
        if operation.keeps_account() || operation == Logout {
            done(stage.scene.command("login").run(""));
        }
        stage.prepare();
        stage.authorizations = stage.scene.auth.authorizations().len();
        stage.before = stage.host_text();
        stage
    }

    fn prepare(&self) {
        match self.operation {
            RefreshKept | RefreshForgiven | RefreshSpent => {
                let conduct = match self.operation {
                    RefreshKept => Refresh::Keeps,
                    RefreshForgiven => Refresh::Forgives,
                    _ => Refresh::Rotates,
                };
                self.scene.auth.set(|own| own.refresh = conduct);
                self.expire();
            }
            Install => self.write_host(HOST_FILE),
            Uninstall => {
                self.write_host(HOST_FILE);
                let installed = self.scene.program().args(["install", "cursor", SERVER]);
                done(installed.args(["--name", "mine"]).run(""));
                self.backups()
                    .iter()
                    .for_each(|path| fs::remove_file(path).unwrap());
            }
            Import => {
                let (home, url) = (self.home(), self.scene.mcp.url());
                let login = shop::sign_in(&self.scene.auth, &url);
                shop::write(&home, Layout::Raw("0.1.37"), &url, &login, 10);
                let entry = json!({ "command": "npx", "args": ["-y", "mcp-remote", url] });
                let all = json!({ "mcpServers": { "mine": entry } });
                self.write_host(&serde_json::to_string_pretty(&all).unwrap());
            }
            Login | SignIn | StepUp | Logout | Doctor | InstallFirst => {}
        }
    }

    /// The access tokens of the default account end by the clock, and for the server.
    fn expire(&self) {
        self.scene.change_records(|record| {
            if record["key"]["profile"] != OTHER {
                record["tokens"]["obtained_at"] = 1000.into();
                record["tokens"]["expires_at"] = 2000.into();
            }
        });
    }

    /// What does it.
    pub fn launch(&self) -> Launch {
        match self.operation {
            Login => self.scene.command("login"),
            SignIn | StepUp | RefreshKept | RefreshForgiven | RefreshSpent => self.scene.launch(),
            Logout => self.scene.command("logout"),
            Doctor => self.scene.command("doctor"),
            Install | InstallFirst => {
                let install = self.scene.program().args(["install", "cursor", SERVER]);
                install.args(["--name", "mine"])
            }
            Uninstall => self.scene.program().args(["uninstall", "cursor", "mine"]),
            Import => self.scene.program().arg("import"),
        }
    }

    /// Whether it did what it should.
    pub fn is_done(&self, code: Option<i32>, stdout: &str, stderr: &str) -> bool {
        let gone = self.operation == Uninstall && stderr.contains("there is no entry");
        let answered = self.operation.lines().is_empty() || answers(stdout);
        (code == Some(0) || gone) && answered
    }

    /// Calls a tool as the account `profile` in a bridge; gives whether it was answered.
    pub fn calls(&self, profile: &str) -> bool {
        let bridge = self.scene.launch().args(["--profile", profile]);
        let output = talk::run(&bridge, lines("echo"));
        output.code == Some(0) && answers(&output.stdout)
    }

    /// The accounts that are to be signed in after all.
    pub fn accounts(&self) -> &'static [&'static str] {
        match self.operation {
            Install | InstallFirst | Uninstall => &[],
            Logout => &[OTHER],
            _ => &["default", OTHER],
        }
    }

    /// How often somebody had to sign in since the stage was set.
    pub fn authorizations(&self) -> usize {
        self.scene.auth.authorizations().len() - self.authorizations
    }

    /// The sign-ins that `status` shows as such.
    pub fn status(&self) -> Vec<Value> {
        let output = done(self.scene.program().args(["status", "--json"]).run(""));
        let shown: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
        let signed_in = shown.into_iter().filter(|own| own["signedIn"] == true);
        signed_in.collect()
    }

    /// The folder that `HOME` names.
    pub fn home(&self) -> PathBuf {
        self.scene.home().parent().unwrap().to_owned()
    }

    fn host_file(&self) -> PathBuf {
        self.home().join(".cursor/mcp.json")
    }

    /// What the host's file says.
    pub fn host_text(&self) -> Option<String> {
        fs::read_to_string(self.host_file()).ok()
    }

    fn write_host(&self, text: &str) {
        let path = self.host_file();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The files beside the host's that keep what it said.
    pub fn backups(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        files(self.host_file().parent().unwrap(), &mut all);
        all.retain(|path| path.extension().is_some_and(|own| own == "bak"));
        all
    }
}

/// All files under a folder.
pub fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else {
            all.push(path);
        }
    }
}

fn done(output: Output) -> Output {
    assert_eq!(output.code, Some(0), "{output:?}");
    output
}

/// Whether request 1 has a result.
fn answers(stdout: &str) -> bool {
    let answer = |line: &str| serde_json::from_str::<Value>(line).ok();
    let mut all = stdout.lines().filter_map(answer);
    all.any(|answer| answer["id"] == 1 && answer["result"].is_object())
}
