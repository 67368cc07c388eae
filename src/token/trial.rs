//! The verification of one signature by the platform, key after key.

use std::collections::VecDeque;

use super::{Key, Token};

/// A signature, and the keys that may have made it.
pub struct Trial {
    keys: VecDeque<Key>,
    signature: Vec<u8>,
    signed: String,
    outcome: Outcome,
}

/// What has come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It goes on.
    Open,
    /// It is the signature of one of the keys.
    Held,
    /// It is of none of them.
    Failed,
    /// The platform could not tell.
    Unknown,
}

impl core::fmt::Debug for Trial {
    /// Without what is signed: with the signature, that may be a token.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Trial").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

impl Trial {
    pub(crate) fn of(keys: Vec<Key>, token: &Token<'_>) -> Self {
        Self::new(keys, token.signature.clone(), token.signed.to_owned())
    }

    pub(crate) fn new(keys: Vec<Key>, signature: Vec<u8>, signed: String) -> Self {
        let outcome = if keys.is_empty() { Outcome::Failed } else { Outcome::Open };
        Self { keys: keys.into(), signature, signed, outcome }
    }

    /// The key to verify by next; `None` once it is over.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.keys.front().filter(|_| self.outcome == Outcome::Open)
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// What is signed.
    #[must_use]
    pub fn signed(&self) -> &str {
        &self.signed
    }

    /// Takes in whether the signature is that of [`Trial::key`]; nothing if the platform could not tell.
    pub fn judge(&mut self, holds: Option<bool>) {
        self.outcome = match holds {
            _ if self.outcome != Outcome::Open => return,
            Some(true) => Outcome::Held,
            None => Outcome::Unknown,
            Some(false) => {
                self.keys.pop_front();
                if self.keys.is_empty() { Outcome::Failed } else { Outcome::Open }
            }
        };
    }

    pub(crate) const fn outcome(&self) -> Outcome {
        self.outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::KeySet;

    #[test]
    fn what_has_come_of_it_stays() {
        let key = r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
        let set = KeySet::parse(format!(r#"{{"keys":[{key},{key}]}}"#).as_bytes()).unwrap();
        let keys: Vec<Key> = set.named("a").unwrap().into_iter().cloned().collect();
        for (told, outcome) in [
            (&[Some(false)][..], Outcome::Open),
            (&[Some(false), Some(false), Some(true)], Outcome::Failed),
            (&[Some(true), Some(false), Some(false)], Outcome::Held),
            (&[None, Some(true)], Outcome::Unknown),
        ] {
            let mut trial = Trial::new(keys.clone(), Vec::new(), String::new());
            told.iter().for_each(|holds| trial.judge(*holds));
            assert_eq!(
                (trial.outcome(), trial.key().is_some()),
                (outcome, outcome == Outcome::Open)
            );
        }
    }
}
