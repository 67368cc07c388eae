//! Whether a token, or a secret scanner's report, is signed by a key of whom it names. That one's keys are
//! fetched when they are needed.

use crate::clock::Now;
use crate::encoding;
use crate::gate::Gate;
use crate::lookup::{Errand, MAX_KEY_SET};
use crate::management::exchange::{Came, NotAuthenticated, Signed};
use crate::policy::{LeakReports, Policy};
use crate::token::{
    Authenticated, FETCH_MILLIS, Kept, Key, KeySet, KeySets, Look, Outcome, Trial, Untrusted,
};

/// What is to be proved.
pub(super) enum Claim {
    /// That a token is its issuer's.
    Token(Kept),
    /// That a report is a secret scanner's.
    Report(Signed),
}

/// A proof under way: what is claimed, and what an adapter does for it at present.
pub(super) struct Proof {
    claim: Claim,
    turns: u32,
    doing: Doing,
}

enum Doing {
    /// Nothing yet.
    Beginning,
    /// It fetches the key set of the issuer at this place, or of the secret scanner after them.
    Fetch(usize),
    /// It waits for somebody else who does.
    Wait,
    /// It verifies by one key.
    Verify(Trial),
}

/// How a proof goes on.
pub(super) enum Course {
    /// With an errand.
    Errand(Box<Proof>, Errand),
    /// It has ended.
    Ended(Came),
}

/// Whose key set was not to be had.
pub(super) struct NoKeys(pub(super) String);

impl Proof {
    pub(super) const fn new(claim: Claim) -> Self {
        Self { claim, turns: 0, doing: Doing::Beginning }
    }

    /// Bytes of what is signed that it holds.
    pub(super) fn held(&self) -> usize {
        let claimed = match &self.claim {
            Claim::Token(_) => 0,
            Claim::Report(signed) => signed.body.len(),
        };
        let tried = match &self.doing {
            Doing::Verify(trial) => trial.signed().len(),
            Doing::Beginning | Doing::Fetch(_) | Doing::Wait => 0,
        };
        claimed.saturating_add(tried)
    }

    /// Takes in the text that came of the errand, if one did, and goes on.
    pub(super) fn next(
        mut self,
        text: Option<&str>,
        gate: Option<&Gate>,
        sets: &mut KeySets,
        now: Now,
    ) -> (Course, Option<NoKeys>) {
        let Some(gate) = gate else {
            return (self.claim.ended(Err(NotAuthenticated::Unavailable)), None);
        };
        let policy = gate.policy();
        let mut no_keys = None;
        let next = match core::mem::replace(&mut self.doing, Doing::Beginning) {
            Doing::Beginning => self.begin(policy, sets, now),
            Doing::Fetch(place) => {
                let keys = text.and_then(|text| published(place, text, policy));
                if keys.is_none() {
                    no_keys = Some(NoKeys(publisher(place, policy)));
                }
                sets.learn(place, keys, now);
                self.look(policy, sets, now)
            }
            Doing::Wait => self.look(policy, sets, now),
            Doing::Verify(mut trial) => {
                trial.judge(text.map(|text| text == "true"));
                self.verify(trial)
            }
        };
        let course = match next {
            Ok(Some(errand)) => Course::Errand(Box::new(self), errand),
            Ok(None) => {
                let proved = self.claim.accept(policy, now);
                self.claim.ended(proved)
            }
            Err(why) => self.claim.ended(Err(why)),
        };
        (course, no_keys)
    }

    fn begin(&mut self, policy: &Policy, sets: &mut KeySets, now: Now) -> Next {
        if let Claim::Report(Signed { key, .. }) = &self.claim {
            let written = scanner(policy)?.keys.iter().filter(|own| own.id.as_str() == key);
            let keys: Vec<Key> =
                written.filter_map(|own| Key::of_pem(key, own.pem.as_str())).collect();
            if !keys.is_empty() {
                return self.try_keys(keys, policy, now);
            }
        }
        self.look(policy, sets, now)
    }

    /// By which keys to verify, or what has to be done to know.
    fn look(&mut self, policy: &Policy, sets: &mut KeySets, now: Now) -> Next {
        if self.turns >= MOST_TURNS {
            return Err(NotAuthenticated::Unavailable);
        }
        let patient = self.turns < PATIENT_TURNS;
        self.turns = self.turns.saturating_add(1);
        let (place, look) = match &self.claim {
            Claim::Token(kept) => {
                let (place, token) = kept.presented().parse(policy, now)?;
                (place, sets.look(place, &|set| set.find(&token), patient, now))
            }
            Claim::Report(Signed { key, .. }) => {
                let place = policy.issuers.len();
                scanner(policy)?.keys_url.as_ref().ok_or(Untrusted::Key)?;
                (place, sets.look(place, &|set| set.named(key), patient, now))
            }
        };
        match look {
            Look::Keys(keys) => self.try_keys(keys, policy, now),
            Look::Refuse(why) => Err(why.into()),
            Look::Unavailable => Err(NotAuthenticated::Unavailable),
            Look::Wait => {
                self.doing = Doing::Wait;
                Ok(Some(Errand::Wait { millis: POLL_MILLIS }))
            }
            Look::Fetch => {
                self.doing = Doing::Fetch(place);
                let url = match policy.issuers.get(place) {
                    Some(rules) => Some(&rules.jwks),
                    None => scanner(policy)?.keys_url.as_ref(),
                };
                let url = url.ok_or(Untrusted::Issuer)?.as_str().to_owned();
                Ok(Some(Errand::Fetch { url, limit: MAX_KEY_SET, millis: FETCH_MILLIS }))
            }
        }
    }

    fn try_keys(&mut self, keys: Vec<Key>, policy: &Policy, now: Now) -> Next {
        let trial = match &self.claim {
            Claim::Token(kept) => Trial::of(keys, &kept.presented().parse(policy, now)?.1),
            Claim::Report(Signed { signature, body, .. }) => {
                Trial::new(keys, signature.clone(), body.clone())
            }
        };
        self.verify(trial)
    }

    fn verify(&mut self, trial: Trial) -> Next {
        if let Some(key) = trial.key() {
            let errand = Errand::Verify {
                algorithm: key.algorithm().as_str(),
                jwk: key.jwk().to_owned(),
                signature: encoding::base64(trial.signature()),
                signed: trial.signed().to_owned(),
            };
            self.doing = Doing::Verify(trial);
            return Ok(Some(errand));
        }
        match trial.outcome() {
            Outcome::Held => Ok(None),
            Outcome::Failed => Err(Untrusted::Signature.into()),
            Outcome::Open | Outcome::Unknown => Err(NotAuthenticated::Unavailable),
        }
    }
}

impl Claim {
    /// What a claim comes to whose signature holds.
    fn accept(&self, policy: &Policy, now: Now) -> Result<Option<Authenticated>, NotAuthenticated> {
        match self {
            Self::Token(kept) => Ok(Some(kept.presented().accept(policy, now)?)),
            Self::Report(_) => Ok(None),
        }
    }

    fn ended(&self, proved: Result<Option<Authenticated>, NotAuthenticated>) -> Course {
        Course::Ended(match (self, proved) {
            (Self::Token(_), Ok(Some(authenticated))) => Came::Authenticated(Ok(authenticated)),
            (Self::Token(_), Ok(None)) => Came::Authenticated(Err(NotAuthenticated::Unavailable)),
            (Self::Token(_), Err(why)) => Came::Authenticated(Err(why)),
            (Self::Report(_), proved) => Came::Verified(proved.map(drop)),
        })
    }
}

/// The errand to do, or none: the signature holds.
type Next = Result<Option<Errand>, NotAuthenticated>;

impl From<Untrusted> for NotAuthenticated {
    fn from(why: Untrusted) -> Self {
        Self::Invalid(why)
    }
}

fn scanner(policy: &Policy) -> Result<&LeakReports, NotAuthenticated> {
    policy.leak_reports.as_ref().ok_or_else(|| Untrusted::Issuer.into())
}

/// The key set that the issuer at `place`, or the secret scanner after them, has published as `text`.
fn published(place: usize, text: &str, policy: &Policy) -> Option<KeySet> {
    let parse = if place < policy.issuers.len() { KeySet::parse } else { KeySet::parse_published };
    parse(text.as_bytes()).ok()
}

fn publisher(place: usize, policy: &Policy) -> String {
    match policy.issuers.get(place) {
        Some(rules) => format!("the issuer {}", rules.name),
        None => "the secret scanner".to_owned(),
    }
}

const POLL_MILLIS: u32 = 20;
/// As long as a fetch may take, and a little.
const PATIENT_TURNS: u32 = 110;
const MOST_TURNS: u32 = 120;
