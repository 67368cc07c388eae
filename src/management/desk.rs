//! The requests to the management API of one isolate: what is to be done next for each, and what waits
//! meanwhile.
//!
//! Nothing waits in here. An adapter does an errand and comes back, or never does: a request that is
//! cancelled tells nobody. So what waits lies under a number and has an end, and there is not too much of it.

use std::collections::VecDeque;

use super::exchange::{BadBody, Came, Exchange, Object, Recent, Step};
use super::proof::{Claim, Course, NoKeys, Proof};
use crate::clock::Now;
use crate::gate::Gate;
use crate::lookup::{Errand, Told};
use crate::policy::HELD_BODY_BYTES;
use crate::token::{Kept, KeySets};

/// All of them, and what they share.
#[derive(Debug, Default)]
pub struct Desk {
    /// The oldest first.
    waiting: VecDeque<Box<Waiting>>,
    last: u32,
    key_sets: KeySets,
    recent: Recent,
}

#[derive(Debug)]
struct Waiting {
    number: u32,
    exchange: Exchange,
    awaited: Awaited,
    /// Milliseconds; nobody comes back from then on.
    until: u64,
}

/// What an adapter is to bring.
enum Awaited {
    /// A row of KV.
    Row,
    /// The body.
    Body,
    /// The answer of an object.
    Answer,
    /// The end of a wait.
    Time,
    /// What an issuer says.
    Word,
    /// What a proof needs.
    Proof(Box<Proof>),
}

/// What came of an errand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought<'b> {
    /// A text: a row, a body, an answer, what was fetched, or whether a signature holds.
    Text(&'b str),
    /// KV has no such row.
    NoRow,
    /// The body has more bytes than it may.
    TooLong,
    /// The body is not UTF-8.
    NotUtf8,
    /// There is no room for the body.
    NoRoom,
    /// Nothing, in time; or the wait is over.
    Nothing,
}

/// What is to be done for a request now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// A text of lines, as `management.mjs` reads it.
    pub told: String,
    /// For the log.
    pub trouble: Option<String>,
}

impl core::fmt::Debug for Awaited {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Row => "Row",
            Self::Body => "Body",
            Self::Answer => "Answer",
            Self::Time => "Time",
            Self::Word => "Word",
            Self::Proof(_) => "Proof(..)",
        })
    }
}

impl Desk {
    /// Begins with a request of these facts. `entropy` must be fresh random bytes: secrets are made of them.
    pub fn begin(
        &mut self,
        facts: &str,
        request_id: String,
        entropy: [u8; 32],
        gate: Option<&Gate>,
        now: Now,
    ) -> Turn {
        self.go_on(Exchange::new(request_id, entropy), facts, Came::Nothing, gate, now)
    }

    /// Goes on with what waits under `number`, a request of these facts; `None` if nobody was expected any more.
    pub fn resume(
        &mut self,
        number: u32,
        facts: &str,
        brought: Brought<'_>,
        gate: Option<&Gate>,
        now: Now,
    ) -> Option<Turn> {
        let place = self.waiting.iter().position(|own| own.number == number)?;
        let Waiting { exchange, awaited, .. } = *self.waiting.remove(place)?;
        let text = match brought {
            Brought::Text(text) => Some(text),
            Brought::NoRow
            | Brought::TooLong
            | Brought::NotUtf8
            | Brought::NoRoom
            | Brought::Nothing => None,
        };
        let owned = text.map(str::to_owned);
        let came = match awaited {
            Awaited::Row if brought == Brought::NoRow => Came::Row(Some(None)),
            Awaited::Row => Came::Row(owned.map(Some)),
            Awaited::Body => Came::Body(owned.ok_or(match brought {
                Brought::TooLong => BadBody::TooLong,
                Brought::NotUtf8 => BadBody::NotUtf8,
                Brought::NoRoom => BadBody::NoRoom,
                Brought::Text(_) | Brought::NoRow | Brought::Nothing => BadBody::Broken,
            })),
            Awaited::Answer => Came::Answered(owned),
            Awaited::Time => Came::Waited,
            Awaited::Word => Came::Fetched(owned),
            Awaited::Proof(proof) => {
                return Some(self.prove(*proof, text, exchange, facts, gate, now));
            }
        };
        Some(self.go_on(exchange, facts, came, gate, now))
    }

    /// The answer where a file of the dashboard was not to be had.
    pub fn no_file(
        &mut self,
        facts: &str,
        request_id: String,
        entropy: [u8; 32],
        is_missing: bool,
        gate: Option<&Gate>,
        now: Now,
    ) -> Turn {
        let came = Came::NoFile { is_missing };
        self.go_on(Exchange::new(request_id, entropy), facts, came, gate, now)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn go_on(
        &mut self,
        mut exchange: Exchange,
        facts: &str,
        came: Came,
        gate: Option<&Gate>,
        now: Now,
    ) -> Turn {
        let (awaited, patience, errand) =
            match exchange.next(facts, came, gate, &mut self.recent, now) {
                Step::Answer(answer) => {
                    let told = Told::new("answer", &[]).number(answer.status.into());
                    return told.counted(&answer).into();
                }
                Step::File(name, answer) => {
                    let told = Told::new("file", &[]).line(&name).number(answer.status.into());
                    return told.counted(&answer).into();
                }
                Step::Authenticate(kept) => {
                    let proof = Proof::new(Claim::Token(kept));
                    return self.prove(proof, None, exchange, facts, gate, now);
                }
                Step::Admit(token) => {
                    let proof = Proof::new(Claim::Token(Kept::given(token)));
                    return self.prove(proof, None, exchange, facts, gate, now);
                }
                Step::Verify(signed) => {
                    let proof = Proof::new(Claim::Report(signed));
                    return self.prove(proof, None, exchange, facts, gate, now);
                }
                Step::Row(name) => {
                    let errand = Errand::Read { name, millis: ROW_MILLIS };
                    (Awaited::Row, ROW_MILLIS, Do::Errand(errand))
                }
                Step::Wait(millis) => (Awaited::Time, millis, Do::Errand(Errand::Wait { millis })),
                Step::Body(limit) => (Awaited::Body, BODY_MILLIS, Do::Body(limit)),
                Step::Ask(object, text) => (Awaited::Answer, ASK_MILLIS, Do::Ask(object, text)),
                Step::Fetch(url, form) => (Awaited::Word, ISSUER_MILLIS, Do::Fetch(url, form)),
            };
        let number = self.file(exchange, awaited, patience, now);
        errand.told(number).into()
    }

    fn prove(
        &mut self,
        proof: Proof,
        text: Option<&str>,
        exchange: Exchange,
        facts: &str,
        gate: Option<&Gate>,
        now: Now,
    ) -> Turn {
        let (course, no_keys) = proof.next(text, gate, &mut self.key_sets, now);
        let turn = match course {
            Course::Ended(came) => self.go_on(exchange, facts, came, gate, now),
            Course::Errand(proof, errand) => {
                let patience = errand.patience();
                let number = self.file(exchange, Awaited::Proof(proof), patience, now);
                Told::errand(number, &errand, &[]).into()
            }
        };
        let trouble =
            no_keys.map(|NoKeys(whose)| format!("keys of {whose}: none that can be read"));
        Turn { trouble: trouble.or(turn.trouble), ..turn }
    }

    /// Keeps a request while an errand is done for it; its number.
    fn file(&mut self, exchange: Exchange, awaited: Awaited, millis: u32, now: Now) -> u32 {
        self.waiting.retain(|own| own.until > now.millis());
        let mut held: usize = self.waiting.iter().map(|own| own.held()).sum();
        while self.waiting.len() >= MAX_WAITING || held > MAX_HELD {
            let Some(oldest) = self.waiting.pop_front() else { break };
            held = held.saturating_sub(oldest.held());
        }
        let number = self.last.wrapping_add(1);
        self.last = number;
        let until = now.millis().saturating_add(u64::from(millis)).saturating_add(GRACE_MILLIS);
        self.waiting.push_back(Box::new(Waiting { number, exchange, awaited, until }));
        number
    }
}

impl Waiting {
    /// Bytes of bodies.
    fn held(&self) -> usize {
        let Self { exchange, awaited, .. } = self;
        let proving = match awaited {
            Awaited::Proof(proof) => proof.held(),
            Awaited::Row | Awaited::Body | Awaited::Answer | Awaited::Time | Awaited::Word => 0,
        };
        exchange.held().saturating_add(proving)
    }
}

impl From<String> for Turn {
    fn from(told: String) -> Self {
        Self { told, trouble: None }
    }
}

/// What an adapter is to do.
enum Do {
    Errand(Errand),
    Body(u32),
    Ask(Object, String),
    Fetch(String, Option<String>),
}

impl Do {
    fn told(&self, number: u32) -> String {
        let told = |word: &str, millis| Told::new(word, &[]).number(number).number(millis);
        match self {
            Self::Errand(errand) => Told::errand(number, errand, &[]),
            Self::Body(limit) => {
                told("text", BODY_MILLIS).number(*limit).number(HELD_BODY_BYTES).finish()
            }
            Self::Ask(object, text) => {
                let (binding, name) = match object {
                    Object::Workspace(number) => ("WORKSPACE", number),
                    Object::Directory(member) => ("DIRECTORY", member),
                };
                told("ask", ASK_MILLIS).line(binding).line(name).line(text).finish()
            }
            Self::Fetch(url, form) => {
                let told = told("fetch", ISSUER_MILLIS).number(MAX_WORD).line(url);
                told.line(form.as_deref().unwrap_or_default()).finish()
            }
        }
    }
}

/// A long one over a thin line.
const BODY_MILLIS: u32 = 120_000;
const ASK_MILLIS: u32 = 10_000;
/// One of many that a report may need.
const ROW_MILLIS: u32 = 10_000;
const ISSUER_MILLIS: u32 = 5_000;
/// Bytes.
const MAX_WORD: u32 = 64 * 1024;
/// Beyond the time that an errand may take: the timers of a busy isolate are late.
const GRACE_MILLIS: u64 = 5_000;
/// Some hundred bytes each, and bodies.
const MAX_WAITING: usize = 4096;
/// Bytes of bodies. That of a report is there before it is known whose it is.
const MAX_HELD: usize = 32 * 1024 * 1024;
