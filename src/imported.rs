//! Keys that were not minted here: any existing secret, known by the SHA-256 of
//! its text.
//!
//! KV holds `h1:<id>` with the kid it stands for; the id is an HMAC, so that KV
//! tells nobody which secrets are imported. The pointer never changes.

use serde::{Deserialize, Serialize};

use crate::json;
use crate::key::Kid;
use crate::root::{Keyring, RootKeys};
use crate::seal;
use crate::{crypto, encoding};

/// The KV name under which an imported key is found: HMAC(`k_tag`, SHA-256 of it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PointerId([u8; 32]);

impl PointerId {
    /// From the presented text.
    #[must_use]
    pub fn of(root: &RootKeys, text: &str) -> Self {
        Self::of_sha256(root, &crypto::sha256(text.as_bytes()))
    }

    /// From the SHA-256 of the text, which is all that an import needs.
    #[must_use]
    pub fn of_sha256(root: &RootKeys, sha256: &[u8; 32]) -> Self {
        Self(*root.digest(sha256).as_bytes())
    }

    /// Reads a name in KV; `None` for any other.
    #[must_use]
    pub fn from_kv_name(name: &str) -> Option<Self> {
        let id = encoding::from_hex(name.strip_prefix("h1:")?)?;
        id.try_into().ok().map(Self)
    }

    /// The name in KV.
    #[must_use]
    pub fn kv_name(&self) -> String {
        format!("h1:{}", encoding::hex(&self.0))
    }
}

/// What an imported key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The key.
    pub kid: Kid,
}

/// What becomes of a pointer that is to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is written.
    Put,
    /// It is there.
    Held,
    /// The secret stands for another key already, and goes on to.
    Taken,
}

impl Claim {
    /// The word for an adapter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Held => "held",
            Self::Taken => "taken",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    v: u8,
    workspace: &'a str,
    kid: &'a str,
}

impl Pointer {
    /// The KV value.
    #[must_use]
    pub fn seal(&self, root: &RootKeys, id: &PointerId) -> String {
        let workspace = self.kid.workspace();
        let document = Document { v: 1, workspace: workspace.as_str(), kid: self.kid.as_str() };
        seal::seal(root, &id.kv_name(), &serde_json::to_string(&document).unwrap_or_default())
    }

    /// Judges the storing of `value` at `id`, where KV holds `held`. The first pointer that a holder
    /// of the root wrote stays, whichever workspace it leads to; what is none is written over.
    #[must_use]
    pub fn claim(keyring: &Keyring, id: &PointerId, held: Option<&str>, value: &str) -> Claim {
        let open = |text: &str| Self::open(keyring, id, text.as_bytes());
        match (held.map(open), open(value)) {
            (Some(Ok(held)), Ok(own)) if held == own => Claim::Held,
            (Some(Ok(_)), _) => Claim::Taken,
            _ => Claim::Put,
        }
    }

    /// Reads the KV value of `id`.
    ///
    /// # Errors
    /// If it was not written there by a holder of the root.
    pub fn open(keyring: &Keyring, id: &PointerId, value: &[u8]) -> Result<Self, seal::Broken> {
        let json = seal::open(keyring, &id.kv_name(), value)?;
        let document: Document<'_> = json::read(json).ok_or(seal::Broken)?;
        let kid = Kid::parse(document.kid).ok_or(seal::Broken)?;
        let consistent = document.v == 1 && kid.workspace().as_str() == document.workspace;
        if consistent { Ok(Self { kid }) } else { Err(seal::Broken) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pointer_of_a_holder_of_the_root_stays() {
        let keyring = Keyring::parse(&format!("{NEW} v1:{OLD}").replace(' ', ",")).unwrap();
        let id = PointerId::of(keyring.newest(), "x");
        let pointer = |kid| Pointer { kid: Kid::parse(kid).unwrap() };
        let (one, two) = (pointer("0DEM0WS7K2M9QXTAG120"), pointer("0THER0S7K2M9QXTAG120"));
        let old = keyring.versions().last().unwrap();
        let sealed = one.seal(keyring.newest(), &id);
        let elsewhere = PointerId::of(keyring.newest(), "y");
        let claim = |held: Option<&str>| Pointer::claim(&keyring, &id, held, &sealed);
        assert_eq!(claim(None), Claim::Put);
        assert_eq!(claim(Some(&sealed)), Claim::Held);
        assert_eq!(claim(Some(&one.seal(old, &id))), Claim::Held);
        assert_eq!(claim(Some(&two.seal(keyring.newest(), &id))), Claim::Taken);
        assert_eq!(claim(Some(&two.seal(old, &id))), Claim::Taken);
        for none in ["", "garbage", &two.seal(keyring.newest(), &elsewhere)] {
            assert_eq!(claim(Some(none)), Claim::Put, "{none}");
        }
        let words = [Claim::Put, Claim::Held, Claim::Taken].map(Claim::as_str);
        assert_eq!(words, ["put", "held", "taken"]);
    }

    #[test]
    fn a_pointer_says_one_workspace_and_one_version() {
        let keyring = Keyring::parse(NEW).unwrap();
        let id = PointerId::of(keyring.newest(), "x");
        assert_eq!(PointerId::from_kv_name(&id.kv_name()), Some(id));
        for (version, workspace, is_one) in
            [(1, "DEM0WS", true), (2, "DEM0WS", false), (1, "0THER0", false)]
        {
            let kid = "0DEM0WS7K2M9QXTAG120";
            let document = Document { v: version, workspace, kid };
            let json = serde_json::to_string(&document).unwrap();
            let value = seal::seal(keyring.newest(), &id.kv_name(), &json);
            let opened = Pointer::open(&keyring, &id, value.as_bytes());
            assert_eq!(opened.is_ok(), is_one, "{json}");
        }
    }

    const NEW: &str = "v2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const OLD: &str = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
}
