//! Whose request it is, once that is proved.

use std::rc::Rc;

use crate::key::Workspace;
use crate::person::Person;
use crate::record::Record;
use crate::scope::Scope;

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Anybody: the route is public.
    Anyone,
    /// The bearer of a key.
    Key(Rc<Record>),
    /// Somebody with a token.
    Person(Rc<Person>),
}

/// What origins are told of a caller. Empty is not told.
#[derive(Clone, Copy, Default)]
pub(crate) struct Told<'a> {
    pub(crate) key: &'a str,
    pub(crate) workspace: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) scopes: &'a str,
    /// Whom a personal key belongs to, or whom a token speaks for.
    pub(crate) subject: &'a str,
}

impl Caller {
    /// The record of the key that was used.
    pub(crate) fn key(&self) -> Option<&Record> {
        match self {
            Self::Key(record) => Some(record),
            Self::Anyone | Self::Person(_) => None,
        }
    }

    /// Whether the caller may do what needs this scope.
    pub(crate) fn has(&self, scope: &Scope) -> bool {
        match self {
            Self::Anyone => true,
            Self::Key(record) => record.grants.allow(scope),
            Self::Person(person) => person.has(scope),
        }
    }

    /// Whether nobody is known to call.
    pub(crate) const fn is_anyone(&self) -> bool {
        matches!(self, Self::Anyone)
    }

    pub(crate) fn told(&self) -> Told<'_> {
        match self {
            Self::Anyone => Told::default(),
            Self::Key(record) => Told {
                key: &record.id,
                workspace: record.workspace.as_str(),
                kind: record.kind.as_str(),
                scopes: &record.scopes,
                subject: record.subject.as_deref().unwrap_or_default(),
            },
            Self::Person(person) => Told {
                workspace: person.workspace.as_ref().map_or("", Workspace::as_str),
                kind: person.kind.as_str(),
                scopes: &person.scopes,
                subject: &person.subject,
                ..Told::default()
            },
        }
    }
}
