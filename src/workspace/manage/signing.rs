//! The signing secrets of keys: made when signatures are first asked for, shown once, replaced with a
//! grace.

use serde_json::{Map, Value as Json, json};

use super::super::Object;
use crate::host::HostName;
use crate::key::Kid;
use crate::management::problem::{FieldError, Problem};
use crate::management::time;
use crate::record::{Document, SignatureMode};
use crate::signature::{Generation, Signing, SigningSecret, Version};

impl Object<'_> {
    /// Puts what `fields` say of signatures into `document`, whose mode is set already.
    pub(super) fn set_signing(
        &self,
        document: &mut Document,
        fields: &Map<String, Json>,
    ) -> Vec<FieldError> {
        let own = fields.get("signing").and_then(Json::as_object);
        if document.signature == SignatureMode::None && document.signing.is_none() && own.is_none()
        {
            return Vec::new();
        }
        let kept = document.signing.take();
        let mut signing = kept.clone().unwrap_or_else(|| Signing {
            version: Version::V2,
            hosts: Vec::new(),
            nonce: false,
            debug_until: None,
            secrets: vec![self.generation(0)],
        });
        let before = (signing.version, signing.nonce);
        let value = |name: &str| own.and_then(|own| own.get(name));
        if let Some(version) = value("version").and_then(Json::as_str) {
            signing.version = if version == "v1" { Version::V1 } else { Version::V2 };
        }
        if signing.version != before.0 {
            (signing.hosts, signing.nonce) = (Vec::new(), false);
        }
        if let Some(hosts) = value("hosts").and_then(Json::as_array) {
            let texts = hosts.iter().filter_map(Json::as_str);
            signing.hosts = texts.filter_map(|text| HostName::parse(text).ok()).collect();
        }
        if let Some(nonce) = value("nonce").and_then(Json::as_bool) {
            signing.nonce = nonce;
        }
        let mut errors = Vec::new();
        let mut wrong = |field: &str, message: &str| errors.push(FieldError::new(field, message));
        if let Some(until) = value("debug_until") {
            let now = self.now.seconds();
            signing.debug_until = until.as_str().and_then(time::parse);
            if signing.debug_until.is_some_and(|end| end > now.saturating_add(LONGEST_DEBUG)) {
                wrong("signing.debug_until", "is more than a day ahead");
            }
        }
        let is_served = |host: &HostName| self.gate.policy.hosts.contains(host);
        if value("hosts").is_some() && !signing.hosts.iter().all(is_served) {
            wrong("signing.hosts", "are not all among the policy's hosts");
        }
        match signing.version {
            Version::V1 if signing.hosts.is_empty() => {
                wrong("signing.hosts", "is required for version v1, which does not sign the host");
            }
            Version::V2 if !signing.hosts.is_empty() => {
                wrong("signing.hosts", "is for version v1: v2 signs the host");
            }
            Version::V2 if signing.nonce => {
                wrong("signing.nonce", "is for version v1: v2 always has a nonce");
            }
            Version::V1 | Version::V2 => {}
        }
        // A signature must not be read in two ways: what was made by other rules ends with them.
        if before != (signing.version, signing.nonce) && kept.is_some() {
            match self
                .next_generation(&mut signing.secrets, 0, |own| (own.generation, &mut own.expires))
            {
                Ok(generation) => signing.secrets.push(self.generation(generation)),
                Err(problem) => errors.extend(problem.errors),
            }
        }
        document.signing = Some(signing);
        errors
    }

    /// The text of a signing secret that `after` has and `before` had not, to be shown once.
    pub(super) fn new_signing_secret(
        &self,
        before: Option<&Document>,
        after: &Document,
    ) -> Option<String> {
        let newest = |document: &Document| {
            document.signing.as_ref()?.secrets.iter().map(|own| own.generation).max()
        };
        let generation = newest(after)?;
        if before.and_then(newest) == Some(generation) {
            return None;
        }
        let kid = Kid::parse(&after.kid)?;
        let root = self.gate.keyring.newest();
        let secret = SigningSecret::derive(root, &after.prefix, kid, generation);
        Some(secret.expose().to_owned())
    }

    /// One more signing secret.
    pub(super) fn replace_signing(
        &self,
        document: &mut Document,
        grace: u64,
    ) -> Result<(), Problem> {
        let message = "has no signing secret: set `signature` first";
        let signing = document.signing.as_mut().ok_or_else(|| Problem::field("of", message))?;
        let generation = self.next_generation(&mut signing.secrets, grace, |own| {
            (own.generation, &mut own.expires)
        })?;
        signing.secrets.push(self.generation(generation));
        Ok(())
    }

    fn generation(&self, generation: u8) -> Generation {
        Generation { generation, root: self.gate.keyring.newest().version(), expires: None }
    }
}

/// What the API tells.
pub(super) fn view(signing: &Signing) -> Json {
    let secret = |own: &Generation| {
        let expires = own.expires.map(time::print);
        json!({ "generation": own.generation, "root": own.root, "expires": expires })
    };
    json!({
        "version": signing.version,
        "hosts": signing.hosts,
        "nonce": signing.nonce,
        "debug_until": signing.debug_until.map(time::print),
        "secrets": signing.secrets.iter().map(secret).collect::<Vec<_>>(),
    })
}

/// Seconds: the longest that signatures are explained for.
const LONGEST_DEBUG: u64 = 24 * 3600;
