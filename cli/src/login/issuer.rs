//! What an issuer says of itself (OpenID Connect Discovery, RFC 8414), and its token endpoint.

use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;

use super::not_signed_in;
use crate::api::{agent, body_of, unreachable};
use crate::output::Failure;
use crate::secret::Secret;
use crate::site::{Endpoint, Site};

/// An issuer's endpoints.
pub(super) struct Issuer {
    pub(super) site: Site,
    /// Its name, as it stands in its tokens and answers.
    pub(super) name: String,
    pub(super) authorization: Option<Endpoint>,
    pub(super) device: Option<Endpoint>,
    token: Endpoint,
    agent: Agent,
}

impl Issuer {
    pub(super) fn discover(site: &Site) -> Result<Self, Failure> {
        let agent = agent(site);
        let response = agent.get(format!("{site}/.well-known/openid-configuration")).call();
        let response = response.map_err(|error| unreachable(site, &error))?;
        let found = response.status().is_success();
        let body = body_of(response, site)?;
        let document: Option<Value> = serde_json::from_slice(&body).ok().filter(|_| found);
        let document = document
            .ok_or_else(|| Failure::refused(format!("{site} has no openid-configuration")))?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        // Elsewhere an issuer could pass off another's answers as its own (Discovery §4.3).
        let name = text("issuer").unwrap_or_default().to_owned();
        if name.trim_end_matches('/') != site.as_str() && !site.is_local() {
            return Err(Failure::refused(format!("{site} says that it is another issuer")));
        }
        let endpoint = |name: &str| {
            let found = text(name).map(Endpoint::parse).transpose();
            found.map_err(|reason| Failure::refused(format!("{site}: {name}: {reason}")))
        };
        Ok(Self {
            site: site.clone(),
            name,
            authorization: endpoint("authorization_endpoint")?,
            device: endpoint("device_authorization_endpoint")?,
            token: endpoint("token_endpoint")?
                .ok_or_else(|| Failure::refused(format!("{site} has no token endpoint")))?,
            agent,
        })
    }

    /// Posts a form: the answer, and whether it is a success.
    pub(super) fn post<'f>(
        &self,
        endpoint: &Endpoint,
        fields: impl IntoIterator<Item = (&'static str, &'f str)>,
    ) -> Result<(bool, Value), Failure> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(endpoint.as_str())
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Accept", "application/json")
            .body(form)
            .map_err(|_| Failure::refused("the issuer's endpoint is no URL"))?;
        let response = self.agent.run(request).map_err(|error| unreachable(endpoint, &error))?;
        let well = response.status().is_success();
        let body = body_of(response, endpoint)?;
        Ok((well, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// Asks for a token: the token, or the code of the error (RFC 6749 §5.2).
    pub(super) fn redeem<'f>(
        &self,
        fields: impl IntoIterator<Item = (&'static str, &'f str)>,
    ) -> Result<Result<Secret, String>, Failure> {
        let (well, body) = self.post(&self.token, fields)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        if !well {
            return Ok(Err(text("error").to_owned()));
        }
        let token = Secret::parse(text("access_token"));
        token.map(Ok).map_err(|_| not_signed_in("the issuer's answer has no access token"))
    }
}
