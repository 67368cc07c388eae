//! Signatures of version 2: a profile of HTTP Message Signatures (RFC 9421) with `hmac-sha256`.
//!
//! ```text
//! Signature-Input: sig=("@method" "@authority" "@path" "@query" "content-digest" "content-type");created=1700000000;expires=1700000060;nonce="b64url-of-16-random-bytes";keyid="0DEM0WS…";tag="portcullis"
//! Signature: sig=:<base64>:
//! ```
//!
//! The components are these, in this order: `content-digest` if there is a body and only then,
//! `content-type` if the header is there and only then. All five parameters, in any order, and no other.
//! One signature. What is not so is refused before any MAC is computed.

use std::borrow::Cow;

use sfv::{BareItem, Dictionary, FieldType as _, InnerList, ListEntry, Parser};

use crate::crypto::{Digest, MacKey};
use crate::encoding;
use crate::signature::Part;

/// A signature that has the profile's form. Nothing of it is proved.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The second in which it was made.
    pub created: u64,
    /// The first second in which it is not good any more.
    pub expires: u64,
    /// Single-use text.
    pub nonce: String,
    /// The key's public name.
    pub keyid: String,
    /// Whether it covers `content-digest`.
    pub covers_digest: bool,
    /// Whether it covers `content-type`.
    pub covers_type: bool,
    /// `@signature-params`, as the sender serialised it in canonical form.
    params: String,
    mac: Digest,
}

/// What a signature covers.
#[derive(Clone, Copy, Debug)]
pub struct Covered<'a> {
    /// As sent.
    pub method: &'a str,
    /// The `Host` as sent; compared in lower case.
    pub authority: &'a str,
    /// Whether it came by https, whose port is left out then.
    pub secure: bool,
    /// The path as sent.
    pub path: &'a str,
    /// The query as sent, without its `?`.
    pub query: Option<&'a str>,
    /// The header as sent, without white space around it; `None` without a body.
    pub content_digest: Option<&'a str>,
    /// The header as sent; `None` if it is absent.
    pub content_type: Option<&'a str>,
}

/// Why a signature does not have the profile's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadForm {
    /// `Signature-Input` or `Signature` is no structured field, or has not exactly one member.
    Fields,
    /// The covered components are others, or in another order.
    Components,
    /// A parameter is missing, unknown, or of another type.
    Parameters,
}

impl Presented {
    /// Reads the two headers.
    ///
    /// # Errors
    /// [`BadForm`].
    pub fn parse(input_text: &str, signature: &str) -> Result<Self, BadForm> {
        let input: Dictionary = Parser::new(input_text).parse().map_err(|_| BadForm::Fields)?;
        let sent = (input_text.trim(), signature.trim());
        let signature: Dictionary = Parser::new(signature).parse().map_err(|_| BadForm::Fields)?;
        let (Some((label, ListEntry::InnerList(list))), 1) = (input.iter().next(), input.len())
        else {
            return Err(BadForm::Fields);
        };
        let (Some((own, ListEntry::Item(item))), 1) = (signature.iter().next(), signature.len())
        else {
            return Err(BadForm::Fields);
        };
        let BareItem::ByteSequence(mac) = &item.bare_item else { return Err(BadForm::Fields) };
        let mac = <[u8; 32]>::try_from(mac.as_slice()).map_err(|_| BadForm::Fields)?;
        // One spelling (RFC 9651 §4.1): what stands there twice, or says nothing, two readers could take
        // for two things.
        let params = serialised(list).ok_or(BadForm::Fields)?;
        let (label, base64) = (label.as_str(), encoding::base64(&mac));
        let canonical = (format!("{label}={params}"), format!("{label}=:{base64}:"));
        if own.as_str() != label || sent != (canonical.0.as_str(), canonical.1.as_str()) {
            return Err(BadForm::Fields);
        }
        let (covers_digest, covers_type) = components(list)?;
        let text = |name: &str| match list.params.get(name) {
            Some(BareItem::String(text)) => Ok(text.as_str().to_owned()),
            _ => Err(BadForm::Parameters),
        };
        let second = |name: &str| match list.params.get(name) {
            Some(BareItem::Integer(second)) => {
                u64::try_from(i64::from(*second)).map_err(|_| BadForm::Parameters)
            }
            _ => Err(BadForm::Parameters),
        };
        if list.params.len() != 5 || text("tag")? != TAG {
            return Err(BadForm::Parameters);
        }
        let nonce = text("nonce")?;
        if !(16..=64).contains(&nonce.len()) {
            return Err(BadForm::Parameters);
        }
        Ok(Self {
            created: second("created")?,
            expires: second("expires")?,
            nonce,
            keyid: text("keyid")?,
            covers_digest,
            covers_type,
            params,
            mac: Digest::from_bytes(mac),
        })
    }

    /// Whether the MAC is the key's, in time independent of where they differ.
    #[must_use]
    pub fn is_by(&self, key: &MacKey, covered: &Covered<'_>) -> bool {
        key.mac(&[covered.base(&self.params).as_bytes()]).matches(&self.mac)
    }

    /// What it has to cover, as hashes.
    #[must_use]
    pub fn parts(&self, covered: &Covered<'_>) -> Vec<Part> {
        let part = |(name, value): &(&'static str, Cow<'_, str>)| Part::of(name, value.as_bytes());
        let mut parts: Vec<Part> = covered.components().iter().map(part).collect();
        parts.push(Part::of("@signature-params", self.params.as_bytes()));
        parts
    }
}

/// The two headers of a request to be signed: `Signature-Input` and `Signature`.
#[must_use]
pub fn sign(
    key: &MacKey,
    covered: &Covered<'_>,
    created: u64,
    expires: u64,
    nonce: &str,
    keyid: &str,
) -> (String, String) {
    let mut names = vec!["@method", "@authority", "@path", "@query"];
    names.extend(covered.content_digest.map(|_| "content-digest"));
    names.extend(covered.content_type.map(|_| "content-type"));
    let names: Vec<String> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    let params = format!(
        "({});created={created};expires={expires};nonce=\"{nonce}\";keyid=\"{keyid}\";tag=\"{TAG}\"",
        names.join(" ")
    );
    let mac = key.mac(&[covered.base(&params).as_bytes()]);
    (format!("sig={params}"), format!("sig=:{}:", encoding::base64(mac.as_bytes())))
}

/// The signature base (RFC 9421 §2.5): components and their values, then `@signature-params`.
#[must_use]
pub fn base<'a>(components: impl IntoIterator<Item = (&'a str, &'a str)>, params: &str) -> String {
    let mut base = String::with_capacity(512);
    for (name, value) in components {
        base.extend(["\"", name, "\": ", value, "\n"]);
    }
    base.extend(["\"@signature-params\": ", params]);
    base
}

impl Covered<'_> {
    fn base(&self, params: &str) -> String {
        let components = self.components();
        base(components.iter().map(|(name, value)| (*name, value.as_ref())), params)
    }

    fn components(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let port = if self.secure { ":443" } else { ":80" };
        let mut authority = self.authority.to_ascii_lowercase();
        if let Some(host) = authority.strip_suffix(port) {
            authority.truncate(host.len());
        }
        let query = format!("?{}", self.query.unwrap_or_default());
        let mut components = vec![
            ("@method", self.method.into()),
            ("@authority", authority.into()),
            ("@path", self.path.into()),
            ("@query", query.into()),
        ];
        components.extend(self.content_digest.map(|digest| ("content-digest", digest.into())));
        components.extend(self.content_type.map(|media| ("content-type", media.into())));
        components
    }
}

/// Whether the last two components are there.
fn components(list: &InnerList) -> Result<(bool, bool), BadForm> {
    let mut names = Vec::with_capacity(6);
    for item in &list.items {
        let name = item.bare_item.as_string().filter(|_| item.params.is_empty());
        names.push(name.ok_or(BadForm::Components)?.as_str());
    }
    match names.as_slice() {
        ["@method", "@authority", "@path", "@query", rest @ ..] => match rest {
            [] => Ok((false, false)),
            ["content-digest"] => Ok((true, false)),
            ["content-type"] => Ok((false, true)),
            ["content-digest", "content-type"] => Ok((true, true)),
            _ => Err(BadForm::Components),
        },
        _ => Err(BadForm::Components),
    }
}

fn serialised(list: &InnerList) -> Option<String> {
    vec![ListEntry::InnerList(list.clone())].serialize()
}

const TAG: &str = "portcullis";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard() {
        // RFC 9421 B.2.5.
        let key = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
        let key = MacKey::new(&encoding::from_base64(key).unwrap());
        let components = [
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
        ];
        let params = "(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"";
        let base = base(components, params);
        assert_eq!(
            base,
            "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\
             \"content-type\": application/json\n\"@signature-params\": (\"date\" \"@authority\" \
             \"content-type\");created=1618884473;keyid=\"test-shared-secret\""
        );
        let mac = encoding::base64(key.mac(&[base.as_bytes()]).as_bytes());
        assert_eq!(mac, "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=");
    }

    fn covered() -> Covered<'static> {
        Covered {
            method: "POST",
            authority: "API.test:443",
            secure: true,
            path: "/v1/agents",
            query: None,
            content_digest: Some("sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"),
            content_type: Some("application/json"),
        }
    }

    #[test]
    fn what_is_signed_is_accepted_and_nothing_else() {
        let (key, covered) = (MacKey::new(b"k"), covered());
        let (input, signature) = sign(&key, &covered, 1_700_000_000, 1_700_000_060, NONCE, "KID");
        let presented = Presented::parse(&input, &signature).unwrap();
        assert_eq!((presented.created, presented.expires), (1_700_000_000, 1_700_000_060));
        assert_eq!((presented.nonce.as_str(), presented.keyid.as_str()), (NONCE, "KID"));
        assert!(presented.is_by(&key, &covered) && !presented.is_by(&MacKey::new(b"l"), &covered));
        let same = Covered { authority: "api.test", ..covered };
        assert!(presented.is_by(&key, &same), "the port of https is left out");
        for other in [
            Covered { method: "PUT", ..covered },
            Covered { authority: "api.test:8443", ..covered },
            Covered { path: "/v1/agent", ..covered },
            Covered { query: Some("x"), ..covered },
            Covered { content_digest: Some("sha-256=:AA==:"), ..covered },
            Covered { content_type: Some("text/plain"), ..covered },
        ] {
            assert!(!presented.is_by(&key, &other), "{other:?}");
        }
    }

    #[test]
    fn the_profile_alone_is_read() {
        let key = MacKey::new(b"k");
        let (input, signature) = sign(&key, &covered(), 1_700_000_000, 1_700_000_060, NONCE, "KID");
        let parse = |input: &str, signature: &str| Presented::parse(input, signature).err();
        assert_eq!(parse(&input, &signature), None);
        let replaced = |from: &str, to: &str| {
            assert!(input.contains(from), "{from}");
            parse(&input.replacen(from, to, 1), &signature)
        };
        use BadForm::{Components, Fields, Parameters};
        for (from, to, expected) in [
            ("sig=", "other=", Some(Fields)),
            ("sig=", "", Some(Fields)),
            ("\"@method\" ", "", Some(Components)),
            ("\"@method\" \"@authority\"", "\"@authority\" \"@method\"", Some(Components)),
            ("\"@query\"", "\"@query\" \"date\"", Some(Components)),
            ("\"@query\"", "\"@query\";req", Some(Components)),
            ("\"@query\"", "@query", Some(Fields)),
            ("\"content-digest\" ", "\"content-digest\" \"content-digest\" ", Some(Components)),
            (
                "\"content-digest\" \"content-type\"",
                "\"content-type\" \"content-digest\"",
                Some(Components),
            ),
            (";tag=\"portcullis\"", "", Some(Parameters)),
            (";tag=\"portcullis\"", ";tag=\"other\"", Some(Parameters)),
            (";tag=\"portcullis\"", ";tag=portcullis", Some(Parameters)),
            (";tag", ";alg=\"hmac-sha256\";tag", Some(Parameters)),
            ("created=1700000000", "created=1700000000.0", Some(Parameters)),
            ("created=1700000000", "created=-1", Some(Parameters)),
            ("created=1700000000;", "", Some(Parameters)),
            ("expires=1700000060", "expires=\"1700000060\"", Some(Parameters)),
            (NONCE, "short", Some(Parameters)),
        ] {
            assert_eq!(replaced(from, to), expected, "{from} {to}");
        }
        for (input, signature) in [
            (format!("{input}, other={}", input.strip_prefix("sig=").unwrap()), signature.clone()),
            (input.clone(), format!("{signature}, other=:AA==:")),
            (input.clone(), "sig=:AA==:".to_owned()),
            (input.clone(), other_padding(&signature)),
            (input.clone(), signature.replace(':', "\"")),
            (input.clone(), format!("{signature};x")),
            (input.clone(), String::new()),
            (String::new(), signature.clone()),
        ] {
            assert_eq!(parse(&input, &signature), Some(Fields), "{input} {signature}");
        }
        // The order of parameters is the sender's; what is signed is what it sent.
        let swapped = "sig=(\"@method\" \"@authority\" \"@path\" \"@query\");tag=\"portcullis\";keyid=\"KID\";nonce=\"0123456789abcdef\";expires=1700000060;created=1700000000";
        let covered = Covered { content_digest: None, content_type: None, ..covered() };
        let mac = key.mac(&[covered.base(swapped.strip_prefix("sig=").unwrap()).as_bytes()]);
        let signature = format!("sig=:{}:", encoding::base64(mac.as_bytes()));
        assert!(Presented::parse(swapped, &signature).unwrap().is_by(&key, &covered));
        for other in
            [(";tag", ";  tag"), (";keyid", ";keyid=\"x\";keyid"), ("sig=", "sig=(), sig=")]
        {
            let spelt = swapped.replace(other.0, other.1);
            assert_eq!(parse(&spelt, &signature), Some(Fields), "{spelt}");
        }
    }

    /// The same bytes, spelt otherwise: the last symbol of 32 bytes has two bits to spare.
    fn other_padding(signature: &str) -> String {
        let mut text = signature.strip_suffix("=:").unwrap().to_owned();
        let last = text.pop().unwrap();
        let next = char::from_u32(u32::from(last).wrapping_add(1)).unwrap();
        format!("{text}{next}=:")
    }

    const NONCE: &str = "q3dPz0hZ8yWc5xN1vT2rLg";
}
