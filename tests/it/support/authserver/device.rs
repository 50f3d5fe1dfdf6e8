//! Codes for other devices at a fake authorization server (RFC 8628): the endpoint that gives them, the page where the user
//! enters them, and the questions of the one who waits.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::gate::lock;
use crate::support::http::{Request, Response};

use super::books::{Asked, Refused};
use super::endpoints::error;
use super::{Conduct, Consent, DENY, PAGE, Params, State, params};

/// The grant of a device code.
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What the switches say of the device flow.
#[derive(Clone)]
pub struct Device {
    /// `interval`; null leaves it out.
    pub interval: Value,
    /// `expires_in`; null leaves it out.
    pub lifetime: Value,
    /// There is a `verification_uri_complete`.
    pub filled_in: bool,
    /// `verification_uri`, in place of the right one.
    pub page: Option<&'static str>,
    /// The code that the user is to enter, in place of one that is made up.
    pub user_code: Option<&'static str>,
    /// The endpoint gives this error.
    pub refused: Option<&'static str>,
    /// The answers to the first questions, in order: an error code, or a status.
    pub answers: Vec<&'static str>,
}

impl Default for Device {
    fn default() -> Self {
        Self {
            interval: 1.into(),
            lifetime: 600.into(),
            filled_in: true,
            page: None,
            user_code: None,
            refused: None,
            answers: Vec::new(),
        }
    }
}

/// A code that was given.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub user_code: String,
    pub asked: Asked,
    /// What the user decided.
    pub decided: Option<bool>,
    pub used: bool,
    /// When was asked what came of it.
    pub polls: Vec<Instant>,
}

impl State {
    /// Gives a code (RFC 8628 §3.1).
    pub(super) fn device(&self, request: &Request, conduct: &Conduct) -> Response {
        let Some(device) = &conduct.device else {
            return Response::status(404);
        };
        let params = match params(&request.text()) {
            Ok(params) => params,
            Err(twice) => {
                self.offend(request, &twice);
                return error(400, "invalid_request");
            }
        };
        lock(&self.books).device_requests.push(params.clone());
        let client = match self.client(request, &params, conduct) {
            Ok(client) => client,
            Err(refusal) => return refusal,
        };
        if let Some(code) = device.refused {
            return error(400, code);
        }
        if conduct.wants_resource && !params.contains_key("resource") {
            self.offend(request, "no resource");
            return error(400, "invalid_target");
        }
        let mut books = lock(&self.books);
        let registered = books.client(&client).map(|client| &client.document);
        let grants = registered.and_then(|document| document["grant_types"].as_array());
        if grants.is_some_and(|grants| !grants.contains(&GRANT.into())) {
            return error(400, "unauthorized_client");
        }
        let device_code = books.mint("device");
        let number = books.devices.len() + 1;
        let made_up = || format!("CODE-{number:04}");
        let user_code = device.user_code.map_or_else(made_up, str::to_owned);
        let page = format!("{}{PAGE}", self.issuer());
        let shown = device.page.map_or(page, str::to_owned);
        let mut answer = json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": shown,
        });
        if device.filled_in {
            answer["verification_uri_complete"] = format!("{shown}?user_code={user_code}").into();
        }
        for (name, value) in [
            ("interval", &device.interval),
            ("expires_in", &device.lifetime),
        ] {
            if !value.is_null() {
                answer[name] = value.clone();
            }
        }
        let asked = Asked {
            client,
            redirect_uri: String::new(),
            challenge: String::new(),
            resource: params.get("resource").cloned(),
            scope: params.get("scope").cloned().unwrap_or_default(),
            key: None,
        };
        let given = Given {
            user_code,
            asked,
            decided: None,
            used: false,
            polls: Vec::new(),
        };
        books.devices.insert(device_code, given);
        Response::json(200, answer.to_string())
    }

    /// The page where the user enters the code, and decides at once.
    pub(super) fn page_of_device(&self, request: &Request, conduct: &Conduct) -> Response {
        let query = request.query.as_deref().unwrap_or_default();
        let params = params(query).unwrap_or_default();
        let code = params.get("user_code").cloned().unwrap_or_default();
        let denied = conduct.consent == Consent::Denied || params.contains_key(DENY);
        let mut books = lock(&self.books);
        let given = books.devices.values_mut();
        match given.into_iter().find(|given| given.user_code == code) {
            Some(given) => {
                given.decided = Some(!denied);
                Response::html(200, "<p>Go back to your device.</p>")
            }
            None => Response::html(404, "<p>No such code.</p>"),
        }
    }

    /// What came of a code (RFC 8628 §3.4).
    pub(super) fn poll(
        &self,
        request: &Request,
        params: &Params,
        client: &str,
        conduct: &Conduct,
    ) -> Result<Asked, Refused> {
        let code = params.get("device_code").cloned().unwrap_or_default();
        let scripted = conduct.device.clone().unwrap_or_default().answers;
        let mut books = lock(&self.books);
        let given = books.devices.get_mut(&code).ok_or("invalid_grant")?;
        if given.asked.client != client || given.asked.resource.as_ref() != params.get("resource") {
            self.offend(request, "a device code of another client or resource");
            return Err("invalid_grant");
        }
        given.polls.push(Instant::now());
        if let Some(answer) = scripted.get(given.polls.len() - 1) {
            return Err(answer);
        }
        match given.decided {
            _ if given.used => Err("invalid_grant"),
            None => Err("authorization_pending"),
            Some(false) => Err("access_denied"),
            Some(true) => {
                given.used = true;
                Ok(given.asked.clone())
            }
        }
    }
}
