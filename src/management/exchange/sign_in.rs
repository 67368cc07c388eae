//! Signing in to the dashboard and out of it: OAuth 2.0 authorization code with PKCE (RFC 6749 §4.1,
//! RFC 7636), as RFC 9700 advises. What the browser gets of it is a code and two cookies.

use std::rc::Rc;

use super::cross;
use super::site::{self, cookie, cookie_of};
use super::{Asked, Exchange, Next, Object, Refusal, Step, bad, ours, read};
use crate::clock::Now;
use crate::denial::{Denial, Fault};
use crate::directory;
use crate::gate::Gate;
use crate::json::foreign;
use crate::management::problem::Problem;
use crate::policy::{IssuerRules, JwksUrl, SignIn};
use crate::request::Request;
use crate::session::{Session, Transaction};
use crate::target::decoded_text;
use crate::token::Authenticated;
use crate::{crypto, encoding};

use super::Recent;

/// A sign-in under way.
pub(super) struct Visit {
    transaction: Transaction,
    /// What the issuer has given for a token; none yet at `/login`.
    code: Option<String>,
    /// Whether the token is awaited, and not where to ask for it.
    is_redeemed: bool,
}

/// Where an issuer is asked (OpenID Connect Discovery §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Discovery {
    authorize: JwksUrl,
    token: JwksUrl,
}

impl Discovery {
    /// Reads an issuer's document; `None` if it is another's, or does not say.
    fn parse(text: &str, issuer: &IssuerRules) -> Option<Self> {
        let document = foreign::Object::read(text.as_bytes())?;
        let member = |name: &str| document.text(name).ok().flatten();
        if member("issuer")? != issuer.issuer.as_str() {
            return None;
        }
        let url = |name: &str| JwksUrl::parse(&member(name)?).ok();
        Some(Self { authorize: url("authorization_endpoint")?, token: url("token_endpoint")? })
    }
}

impl Exchange {
    /// `/login`: sends the browser to the issuer.
    pub(super) fn sign_in(&mut self, gate: &Gate, recent: &mut Recent, now: Now) -> Next {
        if !cross::is_visit(&read(&self.facts)?) {
            return Err(cross::refused().into());
        }
        let id = encoding::hex(self.entropy.first_chunk::<16>().unwrap_or(&[0; 16]));
        let transaction = Transaction { id, until: now.seconds().saturating_add(SIGN_IN_SECONDS) };
        self.visit = Some(Visit { transaction, code: None, is_redeemed: false });
        self.go_to_issuer(gate, recent, now)
    }

    /// `/callback`: what the issuer says by way of the browser.
    pub(super) fn callback(&mut self, gate: &Gate, recent: &mut Recent, now: Now) -> Next {
        let facts = Rc::clone(&self.facts);
        let request = read(&facts)?;
        if !cross::is_visit(&request) {
            return Err(cross::refused().into());
        }
        let (_, issuer) = rules(gate)?;
        let query = request.target().split_once('?').map_or("", |(_, query)| query);
        let begun = cookie_of(&request, SIGN_IN)
            .and_then(|value| Transaction::parse(value, gate.keyring(), now));
        let state = field(query, "state").unwrap_or_default();
        let transaction = begun
            .filter(|begun| crypto::equal(begun.id.as_bytes(), state.as_bytes()))
            .ok_or_else(|| {
                let message = "This sign-in was not begun in this browser, or too long ago.";
                Problem::new(403, "CROSS_SITE", message)
            })?;
        // Which issuer has answered (RFC 9207).
        if !values(query, "iss").all(|iss| iss.as_deref() == Some(issuer.issuer.as_str())) {
            return Err(Problem::new(403, "CROSS_SITE", "Another issuer has answered.").into());
        }
        if values(query, "error").next().is_some() {
            let message = "The issuer did not sign you in.";
            return Err(Problem::new(403, "PERMISSION_DENIED", message).into());
        }
        let code = field(query, "code").filter(|code| !code.is_empty());
        let code = code.ok_or_else(|| bad("The issuer has sent no code."))?;
        self.visit = Some(Visit { transaction, code: Some(code), is_redeemed: false });
        self.go_to_issuer(gate, recent, now)
    }

    fn go_to_issuer(&mut self, gate: &Gate, recent: &Recent, now: Now) -> Next {
        let (_, issuer) = rules(gate)?;
        match recent.place(now) {
            Some(place) => self.at_issuer(&place, gate),
            None => Ok(Step::Fetch(format!("{}{DISCOVERY}", issuer.issuer), None)),
        }
    }

    /// What an issuer has answered, if it did.
    pub(super) fn fetched(
        &mut self,
        text: Option<&str>,
        gate: &Gate,
        recent: &mut Recent,
        now: Now,
    ) -> Next {
        let text = text.ok_or(Fault::IssuerUnavailable)?;
        let (_, issuer) = rules(gate)?;
        if !self.visit.as_ref().is_some_and(|visit| visit.is_redeemed) {
            let place = Discovery::parse(text, issuer).ok_or(Fault::IssuerUnavailable)?;
            recent.learn_place(place.clone(), now);
            return self.at_issuer(&place, gate);
        }
        let token = foreign::Object::read(text.as_bytes())
            .and_then(|answer| answer.text("access_token").ok().flatten().map(Into::into));
        Ok(Step::Admit(token.ok_or(Fault::IssuerUnavailable)?))
    }

    fn at_issuer(&mut self, place: &Discovery, gate: &Gate) -> Next {
        let (rules, _) = rules(gate)?;
        let facts = Rc::clone(&self.facts);
        let request = read(&facts)?;
        let visit = self.visit.as_mut().ok_or(Fault::Internal)?;
        let Visit { transaction, code, is_redeemed } = visit;
        let verifier = transaction.verifier(gate.keyring());
        let back = format!("{}://{}/callback", request.scheme(), request.authority());
        let client = [("client_id", rules.client_id.as_str()), ("redirect_uri", back.as_str())];
        let Some(code) = code else {
            let challenge = encoding::base64url(&crypto::sha256(verifier.as_bytes()));
            let scopes: Vec<_> = rules.scopes.iter().map(|scope| scope.as_str()).collect();
            let scope = scopes.join(" ");
            let own = [
                ("response_type", "code"),
                ("state", transaction.id.as_str()),
                ("code_challenge", challenge.as_str()),
                ("code_challenge_method", "S256"),
                ("scope", scope.as_str()),
            ];
            let query = form(client.into_iter().chain(own));
            let url = place.authorize.as_str();
            let mark = if url.contains('?') { '&' } else { '?' };
            let begun = cookie(SIGN_IN, &transaction.print(gate.keyring()), "Lax", SIGN_IN_SECONDS);
            let to = format!("{url}{mark}{query}");
            return Ok(Step::Answer(site::redirect(&to, &[begun], &self.request_id)));
        };
        let own = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("code_verifier", verifier.as_str()),
        ];
        *is_redeemed = true;
        let form = form(client.into_iter().chain(own));
        Ok(Step::Fetch(place.token.as_str().to_owned(), Some(form)))
    }

    /// The token that the issuer has given is good, and now forgotten.
    pub(super) fn signed_in(&self, caller: Authenticated, gate: &Gate, now: Now) -> Next {
        let (rules, issuer) = rules(gate)?;
        let is_own = gate.policy.issuers.get(caller.issuer).is_some_and(|own| own == issuer);
        if !is_own {
            return Err(Denial::Token.into());
        }
        let hours = u64::from(rules.hours.get()).saturating_mul(3600);
        let mut caller = caller;
        let until = caller.subject.until.min(now.seconds().saturating_add(hours));
        caller.subject.until = until;
        caller.subject.scopes = ours(&caller.subject.scopes);
        let id = encoding::hex(self.entropy.first_chunk::<16>().unwrap_or(&[0; 16]));
        let value = Session { id, caller }.print(gate.keyring(), issuer.name.as_str());
        if value.len() > MOST_COOKIE {
            let message = "The access token has too many scopes for a session.";
            return Err(Problem::new(403, "PERMISSION_DENIED", message).into());
        }
        let seconds = until.saturating_sub(now.seconds());
        let cookies = [cookie(SESSION, &value, "Strict", seconds), cookie(SIGN_IN, "", "Lax", 0)];
        Ok(Step::Answer(site::redirect("/", &cookies, &self.request_id)))
    }

    /// Goes on with a request that a cookie speaks for, if the session was not ended.
    pub(super) fn resume(&mut self, gate: &Gate, now: Now) -> Next {
        let facts = Rc::clone(&self.facts);
        let request = read(&facts)?;
        if !cross::is_own_page(&request) {
            return Err(cross::refused().into());
        }
        let session = session_of(&request, gate, now).ok_or_else(over)?;
        self.asked = Asked::Session;
        let object = Object::Directory(session.caller.member.clone());
        let call = directory::Call::Session(session.id.clone());
        self.session = Some(session);
        Ok(Step::Ask(object, call.print()))
    }

    /// Whether it was ended.
    pub(super) fn resumed(&mut self, answer: &str, gate: &Gate) -> Next {
        let is_ended = directory::read_session(answer).map_err(|_| Fault::WorkspaceUnavailable)?;
        match self.session.take() {
            Some(session) if !is_ended => {
                self.caller = Some(session.caller);
                self.admitted(gate)
            }
            _ => Err(over().into()),
        }
    }

    /// `/logout`: ends the session, here and in whoever's hands its cookie is.
    pub(super) fn sign_out(&mut self, gate: &Gate, now: Now) -> Next {
        let facts = Rc::clone(&self.facts);
        let request = read(&facts)?;
        if !cross::is_own_page(&request) {
            return Err(cross::refused().into());
        }
        let Some(session) = session_of(&request, gate, now) else { return self.signed_out() };
        self.asked = Asked::SignOut;
        let Session { id, caller } = session;
        let call = directory::Call::SignOut(id, caller.subject.until, now.seconds());
        Ok(Step::Ask(Object::Directory(caller.member), call.print()))
    }

    /// The session is ended.
    pub(super) fn signed_out(&self) -> Next {
        let mut answer = self.success(204, "");
        for gone in [cookie(SESSION, "", "Strict", 0), cookie(SIGN_IN, "", "Lax", 0)] {
            answer.headers.push_str("set-cookie\n");
            answer.headers.push_str(&gone);
            answer.headers.push('\n');
        }
        Ok(Step::Answer(answer))
    }
}

/// Whether a session's cookie comes with a request, whatever is in it.
pub(super) fn has_session(request: &Request<'_>) -> bool {
    cookie_of(request, SESSION).is_some()
}

fn session_of(request: &Request<'_>, gate: &Gate, now: Now) -> Option<Session> {
    cookie_of(request, SESSION).and_then(|value| Session::parse(value, gate, now))
}

fn over() -> crate::denial::Wire {
    let message = "The session is over: sign in again.".to_owned();
    crate::denial::Wire { message, ..Denial::Token.wire() }
}

/// The rules of the sign-in and of its issuer.
fn rules(gate: &Gate) -> Result<(&SignIn, &IssuerRules), Refusal> {
    let found = gate.policy.management.sign_in.as_ref().and_then(|rules| {
        let issuer = gate.policy.issuers.iter().find(|issuer| issuer.name == rules.issuer)?;
        Some((rules, issuer))
    });
    let message = "Nobody can sign in here: the policy has no [management.sign_in].";
    found.ok_or_else(|| Problem::new(404, "NOT_FOUND", message).into())
}

/// A field of a query in the form of HTML (URL standard, `application/x-www-form-urlencoded`); `None` if
/// there is none, or more than one.
fn field(query: &str, name: &str) -> Option<String> {
    let mut values = values(query, name);
    let first = values.next()?;
    first.filter(|_| values.next().is_none())
}

/// The values of such a field; `None` for one that is no text.
fn values<'q>(query: &'q str, name: &'q str) -> impl Iterator<Item = Option<String>> + use<'q> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let named = pairs.filter(move |(own, _)| *own == name);
    named.map(|(_, value)| decoded_text(&value.replace('+', " ")))
}

/// Writes such a form.
fn form<'t>(fields: impl Iterator<Item = (&'t str, &'t str)>) -> String {
    let mut form = String::new();
    for (name, value) in fields.filter(|(_, value)| !value.is_empty()) {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                form.push(char::from(byte));
            } else {
                form.push('%');
                form.push_str(&encoding::hex(&[byte]).to_ascii_uppercase());
            }
        }
    }
    form
}

const SESSION: &str = "__Host-portcullis";
const SIGN_IN: &str = "__Host-portcullis-sign-in";
const DISCOVERY: &str = "/.well-known/openid-configuration";
const SIGN_IN_SECONDS: u64 = 600;
/// Bytes: browsers keep no more than 4096 of a cookie.
const MOST_COOKIE: usize = 3900;
