//! The identity provider of a company decides who may use the server: its user signs in there and nowhere else, and every
//! later token is had without them.
#![cfg(unix)]

use std::path::{Path, PathBuf};

use crate::support::authserver::{
    AUTHORIZE, AuthServer, CLIENT, Dpop, Exchange, JWT_BEARER, TOKEN, TOKEN_EXCHANGE,
};
use crate::support::browser::Browser;
use crate::support::gate::Gate;
use crate::support::launch::Launch;
use crate::support::proofs::Wants;
use crate::support::rpc;
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

    /// The identity has ended; what renews it is as it was.
    fn end_identity(&self) {
        self.scene.change_records(|record| {
            record["identity"]["id_token"] = ID_TOKEN.into();
        });
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
fn a_renewed_identity_is_kept_whatever_comes_after_it() {
    let company = Company::new();
    let (scene, idp) = (&company.scene, &company.idp);
    let output = company.seen(scene.command("login")).run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    // Once when a token is renewed, once when there is none.
    for (round, tokens) in [(1, true), (2, false)] {
        company.end_identity();
        scene.auth.end_access();
        if !tokens {
            scene.change_records(|record| record["tokens"] = serde_json::Value::Null);
        }
        idp.set(|conduct| conduct.refuses_machines = Some("server_error"));
        let tether = company.seen(scene.launch()).start();
        let error = tether.call("1", "echo", "{}").error();
        assert_eq!(error["code"], -31001, "{error}");
        assert_eq!(tether.finish(), 0);
        idp.set(|conduct| conduct.refuses_machines = None);
        let tether = company.seen(scene.launch()).start();
        tether.initialize();
        tether.call("1", "echo", "{}").result();
        assert_eq!(tether.finish(), 0);
        assert_eq!((idp.refreshes(), idp.reuses()), (round, 0));
        assert_eq!(scene.browser.opened(), 1);
    }
}

#[test]
fn a_sign_in_at_the_provider_counts_although_no_token_came_of_it() {
    let company = Company::new();
    let (scene, idp) = (&company.scene, &company.idp);
    idp.set(|conduct| conduct.refuses_machines = Some("server_error"));
    let output = company.seen(scene.command("login")).run("");
    assert_eq!(output.code, Some(4), "{output:?}");
    assert_eq!(scene.browser.opened(), 1);
    idp.set(|conduct| conduct.refuses_machines = None);
    let output = company.seen(scene.command("login")).run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(scene.browser.opened(), 1, "the user is not asked again");
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn more_scope_is_asked_for_without_the_user_while_another_process_renews() {
    let company = Company::new();
    let (scene, idp) = (&company.scene, &company.idp);
    scene.mcp.set(|door| {
        door.challenge = Some("read");
        door.scopes.insert("add", "write");
    });
    let output = company.seen(scene.command("login")).run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    let start = || {
        let tether = company.seen(scene.launch()).start();
        tether.initialize();
        tether
    };
    company.end_identity();
    let (one, two) = (start(), start());
    // The provider takes its time over the new identity of the one: the other one waits for it.
    let gate = Gate::new();
    let before = idp.asked(TOKEN);
    idp.set(|conduct| conduct.hold = Some(gate.clone()));
    one.send(&rpc::call("1", "add", r#"{"a":1,"b":2}"#));
    idp.wait_asked(TOKEN, before + 1);
    scene.auth.end_access();
    two.send(&rpc::call("1", "echo", "{}"));
    scene.mcp.mcp.wait_calls("tools/call", 2);
    gate.open();
    one.answer("1").result();
    two.answer("1").result();
    assert_eq!((idp.refreshes(), idp.reuses()), (1, 0));
    assert_eq!(scene.browser.opened(), 1);
    let asked = idp.exchanges(TOKEN_EXCHANGE);
    assert!(
        asked.iter().any(|params| params["scope"] == "read write"),
        "{asked:?}"
    );
}

#[test]
fn more_scope_than_the_provider_grants_is_refused_and_the_rest_goes_on() {
    let company = Company::new();
    let (scene, idp) = (&company.scene, &company.idp);
    scene.mcp.set(|door| {
        door.challenge = Some("read");
        door.scopes.insert("add", "write");
    });
    scene.auth.set(|conduct| conduct.narrows = Some("read"));
    let tether = company.seen(scene.launch()).start();
    tether.initialize();
    tether.call("1", "echo", "{}").result();
    for id in ["2", "3", "4"] {
        let error = tether.call(id, "add", r#"{"a":1,"b":2}"#).error();
        assert_eq!(error["code"], -31004, "{error}");
    }
    tether.call("5", "echo", "{}").result();
    assert!(idp.exchanges(TOKEN_EXCHANGE).len() <= 3);
    assert_eq!(scene.browser.opened(), 1);
}

#[test]
fn a_grant_of_the_provider_is_shown_once_even_where_a_nonce_is_wanted() {
    let company = Company::new();
    let (scene, idp) = (&company.scene, &company.idp);
    scene.auth.set(|conduct| {
        conduct.dpop = Dpop::Binds;
        conduct.proofs = Wants::Nonce;
    });
    let login = company.seen(scene.command("login")).arg("--dpop");
    let output = login.run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    let sent = scene.auth.server.requests();
    let shown: Vec<String> = sent
        .iter()
        .filter(|request| request.path == TOKEN)
        .filter_map(|request| {
            let form = request.text();
            let mut pairs = url::form_urlencoded::parse(form.as_bytes());
            pairs.find_map(|(name, value)| (name == "assertion").then(|| value.into_owned()))
        })
        .collect();
    assert_eq!(shown.len(), 2);
    assert_ne!(shown[0], shown[1]);
    assert_eq!(idp.exchanges(TOKEN_EXCHANGE).len(), 2);
}

#[test]
fn an_identity_that_is_about_to_end_is_good_for_its_own_sign_in() {
    let company = Company::new();
    let (scene, idp) = (&company.scene, &company.idp);
    idp.set(|conduct| {
        conduct.id_lifetime = 8;
        conduct.exchange = Exchange::AccessOnly;
    });
    let output = company.seen(scene.command("login")).run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    // One that has ended is called that.
    scene.command("logout").run("");
    idp.set(|conduct| conduct.id_lifetime = 0);
    let output = company.seen(scene.command("login")).run("");
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.stderr.contains("has ended already"), "{output:?}");
    assert!(output.stderr.contains("clock"), "{output:?}");
}

#[test]
fn what_one_provider_gave_is_not_shown_to_another() {
    let company = Company::new();
    let other = Company::new();
    let scene = &company.scene;
    let output = company.seen(scene.command("login")).run("");
    assert_eq!(output.code, Some(0), "{output:?}");
    let issuer = other.idp.issuer();
    scene.auth.set(|conduct| conduct.idp = Some(issuer.clone()));
    scene.auth.end_access();
    other.scene.auth.server.allow_idle();
    other.scene.mcp.mcp.server.allow_idle();
    let launch = scene.launch().arg(&other.port).watch(&other.idp);
    let tether = launch
        .args(["--idp-issuer", &issuer, "--idp-client-id", "at-the-idp"])
        .args(["--client-id", CLIENT, "--client-secret-file"])
        .arg(company.file("secret", SECRET))
        .start();
    tether.initialize();
    assert_eq!(scene.browser.opened(), 2);
    let seen = other.idp.server.requests();
    for secret in company.idp.secrets() {
        assert!(!seen.iter().any(|request| request.text().contains(&secret)));
    }
}

#[test]
fn the_token_of_a_company_is_revoked_with_and_without_a_secret() {
    for secret in [true, false] {
        let company = Company::new();
        let scene = &company.scene;
        let launch = if secret {
            company.seen(scene.command("login"))
        } else {
            scene.auth.forget_clients();
            scene.auth.set(|conduct| conduct.secret = None);
            scene.auth.admit_client(CLIENT, None, "http://127.0.0.1/");
            let launch = scene.command("login").arg(&company.port);
            launch
                .args(["--idp-issuer".to_owned(), company.idp.issuer()])
                .args(["--idp-client-id", "at-the-idp", "--client-id", CLIENT])
        };
        let output = launch.run("");
        assert_eq!(output.code, Some(0), "{output:?}");
        let output = scene.command("logout").run("");
        assert!(
            output.stdout.contains("revoked and forgotten"),
            "{output:?}"
        );
        assert_eq!(scene.auth.revocations().len(), 1);
    }
}

#[test]
fn a_logout_ends_the_sign_in_at_the_provider_where_it_offers_that() {
    for (offers, token) in [(true, true), (true, false), (false, true)] {
        let company = Company::new();
        let (scene, idp) = (&company.scene, &company.idp);
        idp.set(|conduct| conduct.revocation = offers);
        if !token {
            idp.set(|conduct| conduct.refuses_machines = Some("server_error"));
        }
        company.seen(scene.command("login")).run("");
        let record = std::fs::read(&scene.records()[0]).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        let output = scene.command("logout").watch(idp).run("");
        assert!(
            output.stdout.contains("revoked and forgotten"),
            "{output:?}"
        );
        company.no_secret(&format!("{output:?}"));
        let revoked = idp.revocations();
        assert_eq!(revoked.len(), usize::from(offers));
        if let Some(params) = revoked.first() {
            assert_eq!(params["client_id"], "at-the-idp");
            assert_eq!(params["token"], record["identity"]["refresh"]);
        }
        assert_eq!(scene.records().len(), 0);
    }
}

#[test]
fn a_provider_that_does_not_end_the_sign_in_is_told() {
    for offers in [true, false] {
        let company = Company::new();
        let scene = &company.scene;
        scene.auth.set(|conduct| conduct.revocation = offers);
        let output = company.seen(scene.command("login")).run("");
        assert_eq!(output.code, Some(0), "{output:?}");
        company.idp.server.stop();
        let output = scene.command("logout").run("");
        assert!(output.stdout.contains("not revoked"), "{output:?}");
        assert!(!output.stdout.contains("offers no"), "{output:?}");
        assert_eq!(scene.auth.revocations().len(), usize::from(offers));
        assert_eq!(scene.records().len(), 0);
    }
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
    let table: [(&[&str], &str); 7] = [
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
        // Whom the provider's grant is for could not be said.
        (
            &[idp[0], idp[1], "--token-endpoint", "https://as.example/t"],
            "cannot be used with",
        ),
    ];
    for (args, expected) in table {
        let output = scene.launch().args(args.to_vec()).run("");
        assert_eq!(output.code, Some(2), "{args:?} {output:?}");
        assert!(output.stderr.contains(expected), "{args:?} {output:?}");
    }
}
