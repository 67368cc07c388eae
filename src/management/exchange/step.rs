//! What an adapter is asked to do, and what it says came of it.

use super::leaks::Signed;
use crate::answer::Answer;
use crate::token::{Authenticated, Kept, Untrusted};

/// What to do.
pub enum Step {
    /// Find out whom a token speaks for.
    Authenticate(Kept),
    /// Verify the signature of a secret scanner.
    Verify(Signed),
    /// Read a row of KV.
    Row(String),
    /// Read the body, of so many bytes at most.
    Body(u32),
    /// Ask an object.
    Ask(Object, String),
    /// Wait so many milliseconds.
    Wait(u32),
    /// Fetch what is at a URL, or send it a form.
    Fetch(String, Option<String>),
    /// Find out whom the token speaks for that an issuer has given.
    Admit(String),
    /// Answer with a file of the dashboard as the body.
    File(String, Answer),
    /// Answer.
    Answer(Answer),
}

/// An object, by what its name is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// The workspace of this number.
    Workspace(String),
    /// The Directory of this member.
    Directory(String),
}

/// What came of a step.
pub enum Came {
    /// Nothing was done yet.
    Nothing,
    /// Whom the token speaks for.
    Authenticated(Result<Authenticated, NotAuthenticated>),
    /// Whether the signature holds.
    Verified(Result<(), NotAuthenticated>),
    /// The row of KV, or that there is none; nothing if that cannot be told.
    Row(Option<Option<String>>),
    /// The body.
    Body(Result<String, BadBody>),
    /// What the object answered, if it did.
    Answered(Option<String>),
    /// The time is over.
    Waited,
    /// The text at the URL, or what the form was answered; nothing if that did not succeed.
    Fetched(Option<String>),
    /// The file is not to be had.
    NoFile {
        /// Because there is none of this name.
        is_missing: bool,
    },
}

/// Why nobody is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAuthenticated {
    /// The token is not believed.
    Invalid(Untrusted),
    /// It cannot be told: the issuer's keys are not to be had, or this deployment is not fit.
    Unavailable,
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadBody {
    /// It is longer than was asked for.
    TooLong,
    /// It is not UTF-8.
    NotUtf8,
    /// It broke off.
    Broken,
    /// There is no room for it at present.
    NoRoom,
}

/// Neither shows texts: calls, bodies and answers may hold what a secret is made of.
impl core::fmt::Debug for Step {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Authenticate(_) => f.write_str("Authenticate(..)"),
            Self::Verify(_) => f.write_str("Verify(..)"),
            Self::Row(name) => write!(f, "Row({name})"),
            Self::Body(limit) => write!(f, "Body({limit})"),
            Self::Ask(object, _) => write!(f, "Ask({object:?}, ..)"),
            Self::Wait(millis) => write!(f, "Wait({millis})"),
            Self::Fetch(url, _) => write!(f, "Fetch({url}, ..)"),
            Self::Admit(_) => f.write_str("Admit(..)"),
            Self::File(name, _) => write!(f, "File({name}, ..)"),
            Self::Answer(answer) => write!(f, "Answer({} ..)", answer.status),
        }
    }
}

impl core::fmt::Debug for Came {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Authenticated(_) => "Authenticated(..)",
            Self::Verified(_) => "Verified(..)",
            Self::Row(_) => "Row(..)",
            Self::Body(_) => "Body(..)",
            Self::Answered(_) => "Answered(..)",
            Self::Waited => "Waited",
            Self::Fetched(_) => "Fetched(..)",
            Self::NoFile { .. } => "NoFile(..)",
        })
    }
}
