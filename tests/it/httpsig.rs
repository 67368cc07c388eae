//! Signatures of version 2 against an implementation of RFC 9421 by others, the crate `httpsig`.
//!
//! `HTTPSIG_SAMPLES=…` says how many requests.

use data_encoding::BASE64;
use httpsig::prelude::message_component::{HttpMessageComponent, HttpMessageComponentId};
use httpsig::prelude::{
    AlgorithmName, HttpSignatureBase, HttpSignatureHeaders, HttpSignatureParams, SharedKey,
};
use portcullis::crypto::MacKey;
use portcullis::signature::{ContentDigest, v2};

use crate::simulation::number;
use crate::simulation::random::Random;

/// A request and how it is signed.
#[derive(Clone, Debug)]
struct Sample {
    key: String,
    method: &'static str,
    authority: String,
    secure: bool,
    path: String,
    query: Option<String>,
    digest: Option<String>,
    media: Option<String>,
    created: u64,
    expires: u64,
    nonce: String,
    keyid: String,
}

impl Sample {
    fn new(random: &mut Random) -> Self {
        let body = text(random, 0, 40, PATH);
        let port = random.pick(&["", ":80", ":443", ":8080"]);
        Self {
            key: text(random, 1, 130, PATH),
            method: random.pick(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
            authority: format!("{}{port}", text(random, 1, 30, HOST)),
            secure: random.chance(500),
            path: format!("/{}", text(random, 0, 60, PATH)),
            query: random.chance(600).then(|| text(random, 1, 60, QUERY)),
            digest: random.chance(600).then(|| ContentDigest::of(body.as_bytes()).header()),
            media: random.chance(600).then(|| format!("x/{}", text(random, 1, 30, FIELD))),
            created: random.between(1_000_000_000, 2_000_000_000),
            // Theirs looks at the clock.
            expires: random.between(8_000_000_000, 9_000_000_000),
            nonce: text(random, 16, 64, FIELD),
            keyid: text(random, 1, 30, HOST),
        }
    }

    fn covered(&self) -> v2::Covered<'_> {
        v2::Covered {
            method: self.method,
            authority: &self.authority,
            secure: self.secure,
            path: &self.path,
            query: self.query.as_deref(),
            content_digest: self.digest.as_deref(),
            content_type: self.media.as_deref(),
        }
    }

    fn sign(&self) -> (String, String) {
        let key = MacKey::new(self.key.as_bytes());
        let Self { created, expires, nonce, keyid, .. } = self;
        v2::sign(&key, &self.covered(), *created, *expires, nonce, keyid)
    }

    fn is_accepted(&self, (input, signature): &(String, String)) -> bool {
        let key = MacKey::new(self.key.as_bytes());
        v2::Presented::parse(input, signature).is_ok_and(|own| own.is_by(&key, &self.covered()))
    }

    /// The same with theirs. Which port is left out is not its business, but its caller's.
    fn sign_by_theirs(&self) -> (String, String) {
        let base = HttpSignatureBase::try_new(&self.components(), &self.params()).unwrap();
        let headers = base.build_signature_headers(&self.shared(), None).unwrap();
        (headers.signature_input_header_value(), headers.signature_header_value())
    }

    fn is_accepted_by_theirs(&self, (input, signature): &(String, String)) -> bool {
        let Ok(all) = HttpSignatureHeaders::try_parse(signature, input) else { return false };
        let Some(headers) = all.get("sig") else { return false };
        let base = HttpSignatureBase::try_new(&self.components(), headers.signature_params());
        base.is_ok_and(|base| base.verify_signature_headers(&self.shared(), headers).is_ok())
    }

    fn components(&self) -> Vec<HttpMessageComponent> {
        let port = if self.secure { ":443" } else { ":80" };
        let authority = self.authority.strip_suffix(port).unwrap_or(&self.authority);
        let query = format!("?{}", self.query.as_deref().unwrap_or_default());
        let fixed = [
            ("@method", Some(self.method)),
            ("@authority", Some(authority)),
            ("@path", Some(&*self.path)),
            ("@query", Some(&*query)),
            ("content-digest", self.digest.as_deref()),
            ("content-type", self.media.as_deref()),
        ];
        let component = |(name, value): (&str, Option<&str>)| {
            let id = HttpMessageComponentId::try_from(name).unwrap();
            Some(HttpMessageComponent::try_from((&id, &[value?.to_owned()][..])).unwrap())
        };
        fixed.into_iter().filter_map(component).collect()
    }

    fn params(&self) -> HttpSignatureParams {
        let ids: Vec<_> = self.components().into_iter().map(|component| component.id).collect();
        let mut params = HttpSignatureParams::try_new(&ids).unwrap();
        params.set_created(self.created).set_expires(self.expires).set_nonce(&self.nonce);
        params.set_keyid(&self.keyid).set_tag("portcullis");
        params
    }

    fn shared(&self) -> SharedKey {
        let key = BASE64.encode(self.key.as_bytes());
        SharedKey::from_base64(&AlgorithmName::HmacSha256, &key).unwrap()
    }

    /// Another request, or another key.
    fn changed(&self, random: &mut Random) -> Self {
        let mut other = self.clone();
        match random.below(7) {
            0 => other.method = if self.method == "PUT" { "POST" } else { "PUT" },
            1 => other.authority.insert(0, 'x'),
            2 => other.path.push('x'),
            3 => other.query.get_or_insert_default().push('x'),
            4 => other.media = Some(format!("{}x", other.media.unwrap_or_default())),
            5 => other.digest = Some(ContentDigest::of(b"another").header()),
            _ => other.key.push('x'),
        }
        other
    }
}

#[test]
fn both_sign_alike_and_accept_the_other_and_refuse_what_is_changed() {
    let mut random = Random::new(9421);
    for number in 0..number("HTTPSIG_SAMPLES").unwrap_or(SAMPLES) {
        let sample = Sample::new(&mut random);
        let (ours, theirs) = (sample.sign(), sample.sign_by_theirs());
        assert_eq!(ours, theirs, "{number}: {sample:?}");
        assert!(sample.is_accepted(&theirs) && sample.is_accepted_by_theirs(&ours), "{sample:?}");
        let other = sample.changed(&mut random);
        assert!(!other.is_accepted(&theirs), "{number}: {sample:?} {other:?}");
        assert!(!other.is_accepted_by_theirs(&ours), "{number}: {sample:?} {other:?}");
        let broken = broken(&ours, &mut random);
        assert!(!sample.is_accepted(&broken), "{number}: {broken:?}");
        assert!(!sample.is_accepted_by_theirs(&broken), "{number}: {broken:?}");
    }
}

/// Other headers: a digit of a parameter, or one of the MAC.
fn broken((input, signature): &(String, String), random: &mut Random) -> (String, String) {
    let flip = |text: &str, from: usize, to: usize, random: &mut Random| {
        let at = random.between(from as u64, to as u64 - 1) as usize;
        let other = if text.as_bytes()[at] == b'7' { "8" } else { "7" };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    };
    let span = |from: &str, to: &str| {
        let begin = input.find(from).unwrap() + from.len();
        (begin, begin + input[begin..].find(to).unwrap())
    };
    let (begin, end) = match random.below(4) {
        // The last digit has bits that are no part of the MAC.
        0 => return (input.clone(), flip(signature, 5, 47, random)),
        1 => span(";created=", ";"),
        2 => span(";nonce=\"", "\""),
        _ => span(";keyid=\"", "\""),
    };
    (flip(input, begin, end, random), signature.clone())
}

fn text(random: &mut Random, least: u64, most: u64, of: &[u8]) -> String {
    (0..random.between(least, most)).map(|_| char::from(random.pick(of))).collect()
}

const SAMPLES: u64 = 2_000;
const HOST: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
const PATH: &[u8] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/!$&'()*+,=:@%";
const QUERY: &[u8] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/!$&'()*+,=:@%?;";
const FIELD: &[u8] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/!$&'()*+,=:@%;<>[]{}|^`?#";
