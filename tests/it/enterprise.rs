//! The identity provider of a company decides who may use the server: its user signs in there and nowhere else, and every
//! later token is had without them.
#![cfg(unix)]

use std::path::{Path, PathBuf};

use crate::support::authserver::{AUTHORIZE, AuthServer, CLIENT, JWT_BEARER, TOKEN_EXCHANGE};
use crate::support::browser::Browser;
use crate::support::launch::Launch;
use crate::support::scene::Scene;
use crate::support::server::{Peer, Plan};

const SECRET: &str = "hush of the machine";
const ID_TOKEN: &str = "aGVhZA.aWQ.c2ln";

/// A company: the server that its users want, and its identity provider.
struct Company {
    scene: Scene,
    idp: AuthServer,
    port: String,
}

impl Company {
    fn new() -> Self {
        let scene = Scene::of(Plan::default(), Browser::following());
        let idp = AuthServer::new();
        idp.set(|conduct| {
            conduct.openid = true;
            conduct.pkce = false;
            conduct.wants_resource = false;
            conduct.scopes = vec!["openid", "offline_access"];
        });
        scene.auth.admit_machine("client_secret_basic", SECRET);
        let issuer = idp.issuer();
        scene.auth.set(|conduct| conduct.idp = Some(issuer));
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port().to_string();
        let back = format!("http://127.0.0.1:{port}/oauth/callback");
        idp.admit_client("at-the-idp", None, &back);
        Self { scene, idp, port }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        std::fs::create_dir_all(self.scene.home()).unwrap();
        let path = self.scene.home().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn with(&self, launch: Launch) -> Launch {
        let secret = self.file("secret", SECRET);
        launch
            .watch(&self.idp)
            .args(["--idp-issuer".to_owned(), self.idp.issuer()])
            .args(["--idp-client-id", "at-the-idp", "--client-id", CLIENT])
            .arg("--client-secret-file")
            .arg(secret)
    }

    /// With the browser.
    fn seen(&self, launch: Launch) -> Launch {
        self.with(launch.arg(&self.port))
    }

    /// With the ID token in a file.
    fn by_file(&self, launch: Launch, file: &Path) -> Launch {
        self.with(launch).arg("--idp-id-token-file").arg(file)
    }

    fn redeemed(&self) -> usize {
        self.scene.auth.exchanges(JWT_BEARER).len()
    }

    fn no_secret(&self, text: &str) {
        let all = [self.idp.secrets(), self.scene.auth.secrets()].concat();
        for secret in all.iter().chain([&SECRET.to_owned(), &ID_TOKEN.to_owned()]) {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[test]
fn the_user_signs_in_at_the_identity_provider_once() {
    let company = Company::new();
    let (scene, idp) = (&company.scene, &company.idp);
    let output = company.seen(scene.command("login")).arg("--debug").run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("alice@example.com"), "{output:?}");
    assert!(output.stdout.contains("enterprise managed"), "{output:?}");
    company.no_secret(&format!("{output:?}"));
    assert_eq!(scene.auth.asked(AUTHORIZE), 0, "its own page is not shown");
    assert_eq!(idp.authorizations()[0]["scope"], "openid offline_access");
    let exchange = &idp.exchanges(TOKEN_EXCHANGE)[0];
    assert_eq!(exchange["audience"], scene.auth.issuer());
    assert_eq!(exchange["resource"], scene.mcp.url());
    // From now on nobody is asked.
    let tether = company.seen(scene.launch()).start();
    tether.initialize();
    scene.auth.end_access();
    tether.call("1", "echo", "{}").result();
    assert_eq!((company.redeemed(), scene.browser.opened()), (2, 1));
}

#[test]
fn an_identity_that_has_ended_is_renewed_or_asked_for_again() {
    let company = Company::new();
    let (scene, idp) = (&company.scene, &company.idp);
    let login = || company.seen(scene.command("login")).run("");
    assert_eq!(login().code, Some(0));
    let opened = scene.browser.opened();
    // The identity ends; its refresh token is good.
    scene.change_records(|record| {
        record["identity"]["id_token"] = ID_TOKEN.into();
    });
    scene.auth.end_access();
    let tether = company.seen(scene.launch()).start();
    tether.initialize();
    assert_eq!((idp.refreshes(), scene.browser.opened()), (1, opened));
    // The company has ended the session.
    idp.end_grants();
    assert_eq!(tether.finish(), 0);
    scene.change_records(|record| {
        record["identity"]["id_token"] = ID_TOKEN.into();
    });
    scene.auth.end_access();
    let tether = company.seen(scene.launch()).start();
    tether.initialize();
    tether.call("1", "echo", "{}").result();
    assert_eq!(scene.browser.opened(), opened + 1);
}

#[test]
fn an_id_token_in_a_file_needs_no_browser() {
    let company = Company::new();
    let (scene, idp) = (&company.scene, &company.idp);
    idp.set(|conduct| conduct.assertions = vec![ID_TOKEN.to_owned()]);
    let file = company.file("id-token", ID_TOKEN);
    let tether = company.by_file(scene.launch(), &file).start();
    tether.initialize();
    scene.auth.end_access();
    tether.call("1", "echo", "{}").result();
    assert_eq!((company.redeemed(), scene.browser.opened()), (2, 0));
    // The company lets the user go.
    idp.set(|conduct| conduct.assertions.clear());
    scene.auth.end_access();
    for id in ["2", "3"] {
        let told = tether.call(id, "echo", "{}").error().to_string();
        assert!(told.contains("invalid_grant"), "{told}");
        company.no_secret(&told);
    }
    assert_eq!(
        idp.exchanges(TOKEN_EXCHANGE).len(),
        3,
        "not asked again at once"
    );
}

#[test]
fn an_identity_provider_that_is_down_or_none_is_named() {
    let company = Company::new();
    let file = company.file("id-token", ID_TOKEN);
    company.idp.server.stop();
    company.idp.server.allow_idle();
    let output = company
        .by_file(company.scene.command("login"), &file)
        .run("");
    assert_eq!(output.code, Some(4), "{output:?}");
    assert!(output.stderr.contains("hint: "), "{output:?}");
    let output = company.seen(company.scene.command("login")).run("");
    assert_eq!(output.code, Some(4), "{output:?}");
    company.no_secret(&format!("{output:?}"));
}

#[test]
fn options_that_lack_another_are_mistakes() {
    let scene = Scene::new();
    scene.auth.server.allow_idle();
    scene.mcp.mcp.server.allow_idle();
    let idp = ["--idp-issuer", "https://idp.example"];
    let table: [(&[&str], &str); 6] = [
        (&["--idp-client-id", "x"], "without --idp-issuer"),
        (&["--idp-id-token-file", "x"], "without --idp-issuer"),
        (&idp, "without --idp-client-id"),
        (
            &[idp[0], idp[1], "--idp-client-id", "x"],
            "without --client-id",
        ),
        (&["--idp-issuer", "http://idp.example"], "neither an https"),
        (
            &[idp[0], idp[1], "--client-credentials"],
            "cannot be used with",
        ),
    ];
    for (args, expected) in table {
        let output = scene.launch().args(args.to_vec()).run("");
        assert_eq!(output.code, Some(2), "{args:?} {output:?}");
        assert!(output.stderr.contains(expected), "{args:?} {output:?}");
    }
}
