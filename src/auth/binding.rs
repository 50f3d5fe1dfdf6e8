//! The key of a sign-in: made where its tokens are to be bound to one, and told to the authorization server from the start.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::discovery::Discovered;
use super::dpop::{self, Binding, Key, Must};
use super::http::OauthHttp;
use super::options::Sends;
use super::sign_in::Procedure;
use crate::error::Failure;

impl Procedure<'_> {
    /// Makes a key where the tokens are to be bound to one; the token requests of `http` prove it from then on.
    pub fn bind(&self, http: &OauthHttp, discovered: &Discovered) -> Result<(), Failure> {
        let options = &self.oauth.options;
        if options.sends == Sends::IdToken {
            // Nothing of a proof holds for it.
            return Ok(());
        }
        let mut known = discovered
            .metadata
            .dpop_signing_alg_values_supported
            .clone();
        if options.token_endpoint.is_some() {
            // The user vouches for it: it has no metadata, and gives what the server asks for.
            known = Some(vec![dpop::ALGORITHM.to_owned()]);
        }
        let (demand, challenged) = (&discovered.demand, self.need.challenged);
        let Some(must) = dpop::decide(options.dpop, demand, challenged, known.as_deref())? else {
            return Ok(());
        };
        let key = Key::generate().ok_or_else(dpop::no_randomness)?;
        http.bind(Binding {
            key: Arc::new(key),
            must,
        });
        Ok(())
    }

    /// More parameters of the authorization request: the user's, and the key that alone may exchange the code (RFC 9449 §10).
    pub fn parameters(&self, http: &OauthHttp) -> Vec<(String, String)> {
        let mut parameters = self.oauth.options.request.parameters.clone();
        if let Some(binding) = http.binding() {
            let thumbprint = binding.key.thumbprint().to_owned();
            parameters.push(("dpop_jkt".to_owned(), thumbprint));
        }
        parameters
    }

    /// More metadata of a registration: the user's, and that its tokens are always bound (RFC 9449 §5.2).
    pub fn registered_metadata(&self, http: &OauthHttp) -> Map<String, Value> {
        let mut metadata = self.oauth.options.client.metadata.clone();
        let always = |binding: &Binding| binding.must == Must::BeBound;
        if http.binding().is_some_and(always) {
            let name = "dpop_bound_access_tokens".to_owned();
            metadata.entry(name).or_insert(true.into());
        }
        metadata
    }
}
