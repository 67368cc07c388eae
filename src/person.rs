//! People whose tokens were verified, as one isolate remembers them: by the digest of the token, for
//! a minute at most.

use std::rc::Rc;

use lru::LruCache;

use crate::assertion::Preambles;
use crate::clock::Now;
use crate::key::Workspace;
use crate::policy::TokenKind;
use crate::scope::{Grants, Scope};
use crate::token::Authenticated;

/// Whom a token speaks for.
#[derive(Debug)]
pub(crate) struct Person {
    /// Whose token, by place in the policy.
    pub(crate) issuer: usize,
    pub(crate) kind: TokenKind,
    /// `<issuer's name>:<sub>`.
    pub(crate) subject: String,
    grants: Grants,
    /// `grants` as the origin reads them: separated by spaces.
    pub(crate) scopes: String,
    /// The workspace that the token is for, if its issuer is one that says.
    pub(crate) workspace: Option<Workspace>,
    /// The second from which the token has to be verified again.
    until: u64,
    /// The beginnings of assertions about this person.
    pub(crate) preambles: Preambles,
}

impl Person {
    pub(crate) fn new(verified: Authenticated, now: Now) -> Self {
        let Authenticated { issuer, member, subject, credential } = verified;
        let grants = match credential {
            TokenKind::Oauth => Grants::among(subject.scopes.iter().map(String::as_str)),
            TokenKind::Session => Grants::default(),
        };
        Self {
            issuer,
            kind: credential,
            subject: member,
            scopes: grants.to_string(),
            grants,
            workspace: subject.workspace,
            until: subject.until.min(now.seconds().saturating_add(REMEMBERED_SECONDS)),
            preambles: Preambles::default(),
        }
    }

    /// Whether the token is good for this scope. A session is not held to scopes: what somebody who is
    /// signed in may do is the origin's to say.
    pub(crate) fn has(&self, scope: &Scope) -> bool {
        match self.kind {
            TokenKind::Session => true,
            TokenKind::Oauth => self.grants.allow(scope),
        }
    }

    /// Roughly: its texts, the grants made of them and a preamble.
    fn bytes(&self) -> usize {
        let texts = self.subject.len().saturating_add(self.scopes.len());
        texts.saturating_mul(8).saturating_add(PERSON_BYTES)
    }
}

/// Those whose tokens were verified a moment ago. Bounded in number and bytes.
#[derive(Debug)]
pub(crate) struct People {
    by_token: LruCache<[u8; 32], Rc<Person>>,
    bytes: usize,
}

impl Default for People {
    fn default() -> Self {
        Self { by_token: LruCache::unbounded(), bytes: 0 }
    }
}

impl People {
    /// Whom the token of this digest speaks for, unless it has to be verified again.
    pub(crate) fn find(&mut self, token: &[u8; 32], now: Now) -> Option<Rc<Person>> {
        let person = self.by_token.get(token)?;
        (now.seconds() < person.until).then(|| Rc::clone(person))
    }

    /// Keeps whom a verified token speaks for.
    pub(crate) fn learn(&mut self, token: [u8; 32], person: Rc<Person>) {
        self.bytes = self.bytes.saturating_add(person.bytes());
        let mut old = self.by_token.put(token, person);
        loop {
            self.bytes = self.bytes.saturating_sub(old.map_or(0, |person| person.bytes()));
            if self.by_token.len() <= MAX_PEOPLE && self.bytes <= MAX_BYTES {
                break;
            }
            let Some((_, least)) = self.by_token.pop_lru() else { break };
            old = Some(least);
        }
    }
}

/// How long a verified token is believed without being verified again.
pub(crate) const REMEMBERED_SECONDS: u64 = 60;
const MAX_PEOPLE: usize = 4096;
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// What a person costs besides texts, roughly.
const PERSON_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Subject;

    fn person(scopes: &[&str], until: u64, now: Now) -> Rc<Person> {
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let id = "user".to_owned();
        let subject = Subject { id, scopes, email: None, workspace: None, until };
        let member = "dev:user".to_owned();
        let credential = TokenKind::Oauth;
        Rc::new(Person::new(Authenticated { issuer: 0, member, subject, credential }, now))
    }

    fn token(number: usize) -> [u8; 32] {
        let mut token = [0; 32];
        token[..8].copy_from_slice(&number.to_le_bytes());
        token
    }

    #[test]
    fn believed_until_the_end_and_a_minute_at_most() {
        let at = |seconds: u64| Now::from_millis(seconds * 1000);
        let mut people = People::default();
        people.learn(token(1), person(&[], 1030, at(1000)));
        people.learn(token(2), person(&[], 5000, at(1000)));
        assert!(people.find(&token(1), at(1029)).is_some());
        assert!(people.find(&token(1), at(1030)).is_none());
        assert!(people.find(&token(2), at(1059)).is_some());
        assert!(people.find(&token(2), at(1060)).is_none());
        assert!(people.find(&token(3), at(1000)).is_none());
    }

    #[test]
    fn number_and_bytes_have_bounds() {
        let now = Now::from_millis(0);
        let mut people = People::default();
        for number in 0..2 * MAX_PEOPLE {
            people.learn(token(number), person(&[], 60, now));
        }
        assert_eq!(people.by_token.len(), MAX_PEOPLE);
        assert!(people.find(&token(0), now).is_none());
        let words: Vec<String> = (0..200).map(|word| format!("a{word}:read")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let large = person(&words, 60, now);
        for number in 0..MAX_PEOPLE {
            people.learn(token(number), Rc::clone(&large));
            people.learn(token(number), Rc::clone(&large));
        }
        assert!(people.bytes <= MAX_BYTES && people.by_token.len() < MAX_PEOPLE);
        assert!(people.bytes > 8_000_000, "{} of 8 MiB", people.bytes);
        let held: usize = people.by_token.iter().map(|(_, person)| person.bytes()).sum();
        assert_eq!(people.bytes, held);
    }

    #[test]
    fn words_that_mean_nothing_here_grant_nothing() {
        let own = person(
            &["openid", "agents:read", "https://x.test/all", "a\nb:c"],
            60,
            Now::from_millis(0),
        );
        assert_eq!(own.scopes, "agents:read");
        assert!(own.has(&Scope::parse("agents:read").unwrap()));
        assert!(!own.has(&Scope::parse("agents:write").unwrap()));
    }
}
