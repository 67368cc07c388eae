//! The webhook of a workspace: where alerts go, which, and by which secrets they are signed.

use super::super::rows::Value;
use crate::clock::Now;
use crate::fields::{BadField, Fields, Line, number, pair};
use crate::root::Keyring;
use crate::webhook::{Event, HookSecret};

/// A webhook. What is left of one that was removed is the number of its last secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Hook {
    /// Rises with every change.
    pub(in super::super) version: u64,
    /// `None`: it was removed.
    pub(in super::super) url: Option<String>,
    pub(in super::super) events: Vec<Event>,
    /// Why nothing is sent.
    pub(in super::super) disabled: Option<Disabled>,
    /// Those that may still sign, the newest last.
    pub(in super::super) secrets: Vec<Generation>,
    /// The generation of the next secret.
    pub(in super::super) next: u32,
}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Disabled {
    /// An admin said so.
    Admin,
    /// The receiver answered 410.
    Gone,
}

/// A secret: what it is derived from, and when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Generation {
    pub(in super::super) generation: u32,
    /// The version of the root.
    pub(in super::super) root: u16,
    /// The first second in which it signs no more.
    pub(in super::super) expires: Option<u64>,
}

impl Disabled {
    /// The word for it.
    pub(in super::super) const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Gone => "gone",
        }
    }
}

impl Value for Hook {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        let disabled = match fields.get("disabled") {
            None => None,
            Some("admin") => Some(Disabled::Admin),
            Some("gone") => Some(Disabled::Gone),
            Some(_) => return Err(BadField),
        };
        let events = fields.all("event").map(|name| Event::parse(name).ok_or(BadField));
        Ok(Self {
            version: fields.number("version")?,
            url: fields.get("url").map(str::to_owned),
            events: events.collect::<Result<_, _>>()?,
            disabled,
            secrets: fields.all("secret").map(Generation::parse).collect::<Result<_, _>>()?,
            next: fields.number("next")?,
        })
    }

    fn print(&self) -> String {
        Line::new("webhook")
            .number("version", self.version)
            .all("url", &self.url)
            .all("event", self.events.iter().map(|event| event.as_str()))
            .all("disabled", self.disabled.map(Disabled::as_str))
            .all("secret", self.secrets.iter().map(Generation::print))
            .number("next", self.next)
            .finish()
    }
}

impl Generation {
    fn parse(text: &str) -> Result<Self, BadField> {
        let (rest, expires) = pair(text)?;
        let (generation, root) = pair(rest)?;
        let expires = Some(number(expires)?).filter(|end| *end > 0);
        Ok(Self { generation: number(generation)?, root: number(root)?, expires })
    }

    fn print(&self) -> String {
        let Self { generation, root, expires } = self;
        format!("{generation}:{root}:{}", expires.unwrap_or(0))
    }
}

impl Hook {
    /// Whether such alerts are to be kept for it.
    pub(super) fn wants(&self, event: Event) -> bool {
        self.url.is_some() && self.disabled.is_none() && self.events.contains(&event)
    }

    /// `webhook-signature`: a signature by each secret, the newest first; empty if the root of none is there.
    pub(super) fn signatures(
        &self,
        keyring: &Keyring,
        workspace: &str,
        (id, payload): (&str, &str),
        now: Now,
    ) -> String {
        let open = |own: &&Generation| own.expires.is_none_or(|end| now.seconds() < end);
        let sign = |own: &Generation| {
            let root = keyring.version(own.root)?;
            let secret = HookSecret::derive(root, workspace, own.generation);
            Some(secret.sign(id, now.seconds(), payload))
        };
        let all = self.secrets.iter().rev().filter(open).filter_map(sign);
        all.collect::<Vec<_>>().join(" ")
    }

    /// Lets the secrets so far end with the grace, and adds one; its text.
    pub(in super::super) fn renew(
        &mut self,
        keyring: &Keyring,
        workspace: &str,
        grace: u64,
        now: Now,
    ) -> String {
        let end = now.seconds().saturating_add(grace);
        self.secrets.retain_mut(|own| {
            let end = own.expires.map_or(end, |own| own.min(end));
            own.expires = Some(end);
            now.seconds() < end
        });
        let (root, generation) = (keyring.newest(), self.next);
        self.next = generation.saturating_add(1);
        self.secrets.push(Generation { generation, root: root.version(), expires: None });
        HookSecret::derive(root, workspace, generation).expose()
    }
}

/// The row of the webhook.
pub(in super::super) const HOOK: &str = "webhook";
/// The row of what became of its last deliveries.
pub(in super::super) const OUTCOMES: &str = "webhook/outcomes";
