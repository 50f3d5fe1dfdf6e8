//! Authorization servers that do some things in their own way, each as one that is known to: with `--provider` the user is
//! signed in, and without it is not.
#![cfg(unix)]

use std::net::TcpListener;

use crate::support::authserver::{Conduct, Device, Iss, Metadata, OTHER_TOKEN};
use crate::support::launch::Launch;
use crate::support::scene::{Scene, address, say_hello};
use crate::support::server::Peer;
use crate::support::tether::Tether;
use crate::support::visit::parameter;

/// The path that redirect addresses have.
const BACK: &str = "/oauth/callback";

/// A server that behaves like that, and a client at it that was registered by hand to come back to `host`.
struct Brought {
    scene: Scene,
    port: String,
}

impl Brought {
    fn new(host: &str, secret: Option<&str>, change: impl FnOnce(&mut Conduct)) -> Self {
        let scene = Scene::with(|conduct| {
            conduct.registration = false;
            conduct.secret = secret.map(|_| "client_secret_post");
            change(conduct);
        });
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port().to_string();
        let back = format!("http://{host}:{port}{BACK}");
        scene.auth.admit_client("brought", secret, &back);
        Self { scene, port }
    }

    fn launch(&self, provider: &str) -> Launch {
        let launch = self
            .scene
            .launch()
            .args([&self.port, "--provider", provider]);
        let launch = launch.args(["--client-id", "brought"]);
        let secret = self.scene.auth.clients().remove(0).secret;
        match secret {
            None => launch,
            Some(secret) => {
                let file = launch.home().join("secret");
                std::fs::write(&file, secret).unwrap();
                launch.arg("--client-secret-file").arg(file)
            }
        }
    }

    /// Signs in, works, refreshes and works again.
    fn works(&self, provider: &str) -> Tether {
        let tether = self.scene.sign_in(self.launch(provider));
        tether.call("1", "echo", "{}").result();
        self.scene.auth.end_access();
        tether.call("2", "echo", "{}").result();
        assert_eq!(self.scene.auth.refreshes(), 1);
        tether
    }

    /// The authorization request, which says this of the scope.
    fn asked_for(&self, scope: Option<&str>) {
        let asked = self.scene.auth.authorizations().remove(0);
        assert_eq!(asked.get("scope").map(String::as_str), scope);
    }
}

#[test]
fn entra_wants_a_scope_and_no_resource_and_says_nothing_of_pkce() {
    let entra = Brought::new("localhost", None, |conduct| {
        conduct.openid = true;
        conduct.pkce = false;
        conduct.wants_resource = false;
        conduct.refuses_resource = Some("");
        conduct.wants = vec![("scope", "/.default")];
        conduct.iss = Iss::Absent;
        conduct.metadata = Metadata::OtherIssuer("http://127.0.0.1/{tenantid}/v2.0".to_owned());
    });
    let _tether = entra.works("entra");
    entra.asked_for(Some(&format!(
        "{}/.default offline_access",
        entra.scene.mcp.url()
    )));
}

#[test]
fn entra_takes_the_scope_of_the_user_as_it_stands() {
    let entra = Brought::new("localhost", None, |conduct| {
        conduct.pkce = false;
        conduct.wants_resource = false;
        conduct.refuses_resource = Some("");
    });
    let launch = entra.launch("entra").args(["--scope", "api://x/a"]);
    let _tether = entra.scene.sign_in(launch);
    entra.asked_for(Some("api://x/a"));
}

#[test]
fn google_gives_a_refresh_token_for_a_parameter_of_its_own_and_wants_the_secret() {
    let google = Brought::new("127.0.0.1", Some("hush"), |conduct| {
        conduct.scopes = vec!["offline_access"];
        conduct.refuses_scopes = vec!["offline_access"];
        conduct.wants = vec![
            ("access_type", "offline"),
            ("prompt", "consent"),
            ("scope", "mail"),
        ];
    });
    google.scene.mcp.set(|door| door.supported = vec!["mail"]);
    let _tether = google.works("google");
    google.asked_for(Some("mail"));
}

#[test]
fn cognito_says_nothing_of_pkce_and_comes_back_to_localhost() {
    let cognito = Brought::new("localhost", None, |conduct| {
        conduct.openid = true;
        conduct.pkce = false;
    });
    let _tether = cognito.works("cognito");
    cognito.asked_for(None);
}

#[test]
fn github_answers_with_forms_and_tokens_that_do_not_end() {
    let github = Brought::new("127.0.0.1", Some("hush"), |conduct| {
        conduct.forms = true;
        conduct.lifetime = None;
    });
    let _tether = github.works("github");
    let output = github.scene.command("status").arg("--json").run("");
    assert!(!output.stdout.contains("expiresAt\":\""), "{output:?}");
}

#[test]
fn a_client_without_the_secret_that_is_wanted_is_told_so_at_once() {
    for provider in ["google", "github", "snowflake"] {
        let brought = Brought::new("127.0.0.1", None, |_| {});
        let tether = brought.launch(provider).start();
        say_hello(&tether);
        let told = tether.answer("0").error().to_string();
        assert!(told.contains("without a secret"), "{told}");
        assert!(told.contains("--client-secret-file"), "{told}");
        assert!(brought.scene.auth.authorizations().is_empty());
    }
}

#[test]
fn slack_wants_the_scope_of_a_user_and_comes_back_to_localhost() {
    let slack = Brought::new("localhost", None, |conduct| {
        conduct.wants = vec![("user_scope", "chat:write search:read")];
    });
    let supported = vec!["chat:write", "search:read"];
    slack.scene.mcp.set(|door| door.supported = supported);
    let _tether = slack.works("slack");
}

#[test]
fn figma_gives_a_secret_that_nobody_asked_for_and_wants_it_in_the_body() {
    let scene = Scene::with(|conduct| {
        conduct.secret = Some("client_secret_post");
        conduct.hides_method = true;
        conduct.wants = vec![("scope", "mcp:connect")];
    });
    let tether = scene.sign_in(scene.launch().args(["--provider", "figma"]));
    scene.auth.end_access();
    tether.call("1", "echo", "{}").result();
    let exchange = scene.auth.exchanges("authorization_code").remove(0);
    assert!(exchange.contains_key("client_secret"));
}

#[test]
fn atlassian_takes_no_slash_at_the_end_of_the_resource_and_has_another_issuer() {
    let other = "http://127.0.0.1/other".to_owned();
    let scene = Scene::with(|conduct| {
        conduct.refuses_resource = Some("/");
        conduct.metadata = Metadata::OtherIssuer(other.clone());
        conduct.iss = Iss::Wrong(other);
    });
    let named = format!("{}/", scene.mcp.url());
    scene.mcp.set(|door| door.resource = Some(named));
    let tether = scene.sign_in(scene.launch().args(["--provider", "atlassian"]));
    scene.auth.end_access();
    tether.call("1", "echo", "{}").result();
    assert_eq!(scene.auth.authorizations()[0]["resource"], scene.mcp.url());
}

#[test]
fn snowflake_has_no_metadata_and_refuses_the_scope_that_its_servers_name() {
    let snowflake = Brought::new("127.0.0.1", Some("hush"), |conduct| {
        conduct.metadata = Metadata::Absent;
        conduct.refuses_scopes = vec!["session:role:all"];
        conduct.iss = Iss::Absent;
    });
    // Where no metadata names a method it is Basic.
    snowflake.scene.auth.prove_by("client_secret_basic");
    snowflake
        .scene
        .mcp
        .set(|door| door.supported = vec!["session:role:all"]);
    let tether = snowflake.scene.sign_in(snowflake.launch("snowflake"));
    tether.call("1", "echo", "{}").result();
    snowflake.asked_for(Some("refresh_token"));
    assert_eq!(snowflake.scene.auth.asked(OTHER_TOKEN), 1);
}

#[test]
fn who_has_to_register_by_hand_is_told_the_address_to_register() {
    let scene = Scene::with(|conduct| {
        conduct.registration = false;
        conduct.device = Some(Device::default());
    });
    for (provider, host, secret) in [("slack", "localhost", false), ("github", "127.0.0.1", true)] {
        let login = scene
            .command("login")
            .args(["--device-code", "--provider", provider]);
        let output = login.run("");
        assert_eq!(output.code, Some(3), "{output:?}");
        let wanted = format!("http://{host}:28741{BACK}");
        assert!(output.stderr.contains(&wanted), "{output:?}");
        assert_eq!(
            output.stderr.contains("--client-secret-file"),
            secret,
            "{output:?}"
        );
    }
}

#[test]
fn nothing_is_different_for_a_server_that_nobody_knows() {
    for provider in ["none", ""] {
        let scene = Scene::new();
        let launch = scene.launch().env("MCP_TETHER_PROVIDER", provider);
        let launch = if provider.is_empty() {
            scene.launch()
        } else {
            launch
        };
        let tether = launch.start();
        say_hello(&tether);
        let shown = address(&tether);
        assert_eq!(parameter(&shown, "resource"), Some(scene.mcp.url()));
        assert_eq!(parameter(&shown, "scope"), None);
        tether.excuse("0");
    }
    let scene = Scene::with(|conduct| conduct.pkce = false);
    let output = scene.command("login").run("");
    assert_eq!(output.code, Some(3), "{output:?}");
}
