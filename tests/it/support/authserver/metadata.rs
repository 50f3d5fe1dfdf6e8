//! The metadata of a fake authorization server (RFC 8414 §2), right or wrong.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::http::{Feed, Response};

use super::{AUTHORIZE, Conduct, DEVICE, Dpop, Iss, Metadata, REGISTER, REVOKE, State, TOKEN};

/// What one write of a body without end brings.
static PIECE: [u8; 64 << 10] = [b'x'; 64 << 10];

/// More than any client may read of a document.
const HUGE: usize = 8 << 20;

impl State {
    pub(super) fn metadata(&self, conduct: &Conduct) -> Response {
        match &conduct.metadata {
            Metadata::Right => Response::json(200, self.document(conduct).to_string()),
            Metadata::OtherIssuer(issuer) => {
                let mut document = self.document(conduct);
                document["issuer"] = issuer.as_str().into();
                Response::json(200, document.to_string())
            }
            Metadata::Redirect(target) => Response::status(302).header("location", target),
            Metadata::Huge => {
                let mut document = self.document(conduct);
                document["padding"] = "x".repeat(HUGE).into();
                Response::json(200, document.to_string())
            }
            Metadata::Endless => {
                let (response, feed) = Response::streamed(200, "application/json");
                tokio::spawn(endless(feed));
                response
            }
            Metadata::Coded(body, coding) => {
                Response::json(200, body.clone()).header("content-encoding", coding)
            }
            Metadata::Absent => Response::status(404),
            Metadata::Fails(status) => Response::html(*status, "<p>out of order</p>"),
        }
    }

    /// The document as it should be, but for the endpoints that a test replaces.
    fn document(&self, conduct: &Conduct) -> Value {
        let issuer = self.issuer();
        let at = |path: &str| format!("{issuer}{path}");
        let replaced = |given: &Option<String>, path| given.clone().unwrap_or_else(|| at(path));
        let method = conduct.secret.unwrap_or("none");
        let mut document = json!({
            "issuer": issuer,
            "authorization_endpoint": replaced(&conduct.authorization_endpoint, AUTHORIZE),
            "token_endpoint": replaced(&conduct.token_endpoint, TOKEN),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": [method],
        });
        if conduct.pkce {
            document["code_challenge_methods_supported"] = json!(["S256"]);
        }
        if conduct.registration {
            document["registration_endpoint"] = at(REGISTER).into();
        }
        if conduct.revocation {
            document["revocation_endpoint"] = at(REVOKE).into();
        }
        if conduct.device.is_some() {
            document["device_authorization_endpoint"] = at(DEVICE).into();
        }
        if conduct.documents {
            document["client_id_metadata_document_supported"] = true.into();
        }
        if conduct.iss != Iss::Absent {
            document["authorization_response_iss_parameter_supported"] = true.into();
        }
        match conduct.dpop {
            Dpop::Unknown | Dpop::BindsSilently => {}
            Dpop::Binds | Dpop::Breaks => {
                document["dpop_signing_alg_values_supported"] = json!(["RS256", "ES256"]);
            }
            Dpop::OtherAlgorithm => {
                document["dpop_signing_alg_values_supported"] = json!(["RS256"]);
            }
        }
        if !conduct.scopes.is_empty() {
            document["scopes_supported"] = json!(conduct.scopes);
        }
        document
    }
}

/// Feeds a document that goes on until the client has enough.
async fn endless(feed: Feed) {
    feed.send(r#"{"issuer":""#);
    while !feed.gone().is_open() {
        feed.send(&PIECE[..]);
        // The pace at which it is fed, so that the client has time to go.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
