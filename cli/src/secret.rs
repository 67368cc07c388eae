//! Texts that nobody but their owner may see.

use core::fmt;

use portcullis::key::KeyText;
use serde::{Deserialize, Serialize};

/// A token, an API key or a signing secret.
///
/// It is written out by [`Secret::expose`], and into the configuration file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    /// A text that can stand in a header: visible ASCII.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("not one line of visible ASCII characters");
        }
        Ok(Self(text.to_owned()))
    }

    /// The text itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// What may be shown of it: of a native key its public part.
    pub(crate) fn redacted(&self) -> String {
        match KeyText::recognise(&self.0) {
            Some(Ok(key)) => format!("{}_{}_[redacted]", key.prefix(), key.kid()),
            Some(Err(_)) | None => "[redacted]".to_owned(),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
