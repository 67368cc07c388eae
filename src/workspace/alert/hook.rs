//! The webhook of a workspace: where alerts go, which, and by which secrets they are signed.

use serde::{Deserialize, Serialize};

use crate::clock::Now;
use crate::root::Keyring;
use crate::webhook::{Event, HookSecret};

/// A webhook. What is left of one that was removed is the number of its last secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Hook {
    /// Rises with every change.
    pub(in super::super) version: u64,
    /// `None`: it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in super::super) url: Option<String>,
    pub(in super::super) events: Vec<Event>,
    /// Why nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in super::super) disabled: Option<Disabled>,
    /// Those that may still sign, the newest last.
    pub(in super::super) secrets: Vec<Generation>,
    /// The generation of the next secret.
    pub(in super::super) next: u32,
}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Disabled {
    /// An admin said so.
    Admin,
    /// The receiver answered 410.
    Gone,
}

/// A secret: what it is derived from, and when it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Generation {
    pub(in super::super) generation: u32,
    /// The version of the root.
    pub(in super::super) root: u16,
    /// The first second in which it signs no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in super::super) expires: Option<u64>,
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
