//! Whom a token speaks for, and whether the route takes it.

use std::rc::Rc;

use super::{Check, Stop};
use crate::caller::Caller;
use crate::credential::{Credential, Opaque};
use crate::denial::{Denial, Fault};
use crate::need::Need;
use crate::observation::Known;
use crate::person::Person;
use crate::policy::{Route, TokenKind};
use crate::token::{Find, Key, Look, NotPresented, Outcome, Presented, Token, Trial};

impl<'a> Check<'_, 'a, '_, '_> {
    /// The person whose token the request brings, with leave to use the route; `None` if what it brings
    /// is no token.
    pub(super) fn person(
        &mut self,
        credential: &Credential<'a>,
        route: &Route,
    ) -> Result<Option<Rc<Person>>, Stop> {
        let Some(token) = self.token(credential, route)? else { return Ok(None) };
        let digest = token.digest();
        let person = match self.memory.people.find(&digest, self.now) {
            Some(person) => person,
            None => {
                let person = Rc::new(self.verified(&token, route)?);
                self.memory.people.learn(digest, Rc::clone(&person));
                person
            }
        };
        if self.gate.policy.observe.writes() {
            let caller = Caller::Person(Rc::clone(&person));
            self.ticket.known = Some(Known { caller, mode: None });
        }
        if !takes(route, person.kind) || !token.may_be_of(person.issuer) {
            return Err(Denial::Token.into());
        }
        match &route.scope {
            Some(scope) if !person.has(scope) => Err(Denial::Scope(scope.clone()).into()),
            Some(_) | None => Ok(Some(person)),
        }
    }

    /// The token that the request brings. A proxy puts an issuer's header into every request: it counts
    /// where there is no other credential and tokens are taken.
    fn token(
        &self,
        credential: &Credential<'a>,
        route: &Route,
    ) -> Result<Option<Presented<'a>>, Denial> {
        match credential {
            Credential::Token(Opaque(text)) => Ok(Some(Presented::bearer(text))),
            Credential::Missing if takes_any(route) => {
                match Presented::in_header(self.request, &self.gate.policy) {
                    Ok(token) => Ok(Some(token)),
                    Err(NotPresented::Ambiguous) => Err(Denial::Ambiguous),
                    Err(_) => Ok(None),
                }
            }
            Credential::Missing
            | Credential::Native(_)
            | Credential::Other(_)
            | Credential::Signature
            | Credential::Malformed => Ok(None),
        }
    }

    /// Verifies a token; nothing is fetched for one that is no good whoever signed it.
    #[cold]
    #[inline(never)]
    fn verified(&mut self, presented: &Presented<'a>, route: &Route) -> Result<Person, Stop> {
        let policy = &self.gate.policy;
        let (token, told) = presented.read(policy, self.now).map_err(|_| Denial::Token)?;
        if !takes(route, told.credential) {
            return Err(Denial::Token.into());
        }
        if self.ticket.trial.is_none() {
            let trial = Trial::of(self.keys(told.issuer, &token)?, &token);
            self.ticket.trial = Some(Box::new(trial));
        }
        match self.ticket.trial.as_ref().map_or(Outcome::Failed, |trial| trial.outcome()) {
            Outcome::Open => Err(Stop::Need(Need::Signature)),
            Outcome::Failed => Err(Denial::Token.into()),
            Outcome::Unknown => Err(Stop::Fault(Fault::IssuerUnavailable)),
            Outcome::Held => Ok(Person::new(told, self.now)),
        }
    }

    /// The keys of an issuer by which a token may be signed.
    fn keys(&mut self, issuer: usize, token: &Token<'_>) -> Result<Vec<Key>, Stop> {
        let patient = self.ticket.issuer.is_none();
        let find: Find<'_> = &|set| set.find(token);
        match self.memory.key_sets.look(issuer, find, patient, self.now) {
            Look::Keys(keys) => Ok(keys),
            Look::Fetch => Err(Stop::Need(Need::KeySet { issuer, mine: true })),
            Look::Wait => Err(Stop::Need(Need::KeySet { issuer, mine: false })),
            Look::Refuse(_) => Err(Denial::Token.into()),
            Look::Unavailable => Err(Stop::Fault(Fault::IssuerUnavailable)),
        }
    }
}

fn takes(route: &Route, kind: TokenKind) -> bool {
    route.credentials.contains(kind.credential())
}

fn takes_any(route: &Route) -> bool {
    takes(route, TokenKind::Session) || takes(route, TokenKind::Oauth)
}
