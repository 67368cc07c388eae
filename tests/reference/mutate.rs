//! What is wrong with a request that was good: one thing, or two.

use crate::credential;
use crate::deploy::TRAITS;
use crate::generate::{Draft, INSIDE, Maker, OPEN};
use crate::random::Random;
use crate::reference::Faults;
use crate::request::Sent;
use crate::spell::SYMBOLS;

impl Maker<'_> {
    /// Before it is signed.
    pub fn spoil(&self, draft: &mut Draft, random: &mut Random) {
        match random.below(12) {
            0 | 1 => self.other_key(draft, random),
            2 => self.other_route(draft, random),
            3 => draft.sent.target = target(&draft.sent.target, random),
            4 => draft.sent.host = host(&draft.sent.host, random),
            5 => draft.sent.method = random.pick(&METHODS).to_owned(),
            6 => self.address(&mut draft.sent, random),
            7 => form(&mut draft.sent, random),
            8 | 9 => self.plan_differs(draft, random),
            10 => page(&mut draft.sent, random),
            _ => self.url(draft, random),
        }
    }

    /// After it was signed.
    pub fn tamper(&self, sent: &mut Sent, random: &mut Random) {
        let signed = sent.has("x-signature") || sent.has("signature");
        let token = sent.has("x-access-token")
            || sent.header("authorization").is_some_and(|text| text.contains('.'));
        match random.below(6) {
            0..=3 if signed => signature(sent, self.now, random),
            0..=2 if token => claims(sent, self.now, random),
            0..=2 => self.key_text(sent, random),
            _ => headers(sent, random),
        }
    }

    /// A key that is no good, or good for something else.
    fn other_key(&self, draft: &mut Draft, random: &mut Random) {
        let world = &self.deployment.world;
        let key = &world.keys[&self.deployment.by_trait[random.pick(&TRAITS)]];
        let (method, target) = (draft.sent.method.clone(), draft.sent.target.clone());
        let path = target.split_once('?').map_or(target.as_str(), |(path, _)| path);
        if let Some(other) = self.with_key(key, &method, path, random) {
            *draft = other;
        }
    }

    fn other_route(&self, draft: &mut Draft, random: &mut Random) {
        let (method, path) = match random.below(2) {
            0 => random.pick(&ELSEWHERE),
            _ => random.pick(&OPEN),
        };
        draft.sent.method = method.to_owned();
        draft.sent.target =
            path.replace("{workspace}", random.pick(&["DEM0WS", "TEST00", "test00"]));
        if matches!(method, "GET" | "HEAD") {
            draft.sent.body = None;
            draft.sent.remove("content-length");
        }
    }

    fn address(&self, sent: &mut Sent, random: &mut Random) {
        sent.set("x-forwarded-for", "203.0.113.5");
        match random.below(6) {
            0 => sent.remove("cf-connecting-ip"),
            1 => sent.add("cf-connecting-ip", "203.0.113.5"),
            2 => sent.set("cf-connecting-ip", "203.0.113.5, 203.0.113.6"),
            3 => sent.set("cf-connecting-ip", random.pick(&INSIDE)),
            _ => sent.set("cf-connecting-ip", random.pick(&OUTSIDE)),
        }
    }

    fn plan_differs(&self, draft: &mut Draft, random: &mut Random) {
        let now = self.now;
        let Some(plan) = &mut draft.sign else { return };
        match random.below(9) {
            0 => plan.generation = random.pick(&[0, 2, 3]),
            1 => plan.made = random.pick(&[now - 301, now + 61, now - 302, now + 3600, now / 1000]),
            2 => plan.expires = random.pick(&[now, now - 1, now + 1]),
            3 => plan.is_v2 = !plan.is_v2,
            4 => plan.nonce = Some("0123456789abcde".to_owned()),
            5 => plan.nonce = Some("x".repeat(65)),
            6 => plan.nonce = Some("0123456789abcdef".to_owned()),
            7 => {
                draft.sent.body = Some(vec![b'x'; usize::try_from(random.between(63, 66)).unwrap()])
            }
            _ => plan.nonce = None,
        }
        if plan.is_v2 && plan.nonce.is_none() {
            plan.nonce = Some("fedcba9876543210".to_owned());
        }
        if let Some(body) = &draft.sent.body {
            draft.sent.set("content-length", body.len().to_string());
        }
    }

    fn url(&self, draft: &mut Draft, random: &mut Random) {
        let world = &self.deployment.world;
        let key = &world.keys[&self.deployment.by_trait["plain"]];
        let text = match random.below(3) {
            0 => key.secrets[0].text.clone(),
            1 => key.secrets[0].text.replacen('_', "%5F", 1),
            // No key by its length.
            _ => key.secrets[0].text[1..key.secrets[0].text.len() - 1].to_owned(),
        };
        draft.sent.target.push_str(if draft.sent.target.contains('?') { "&k=" } else { "?k=" });
        draft.sent.target.push_str(&text);
    }

    /// Another text in the place of the key's.
    fn key_text(&self, sent: &mut Sent, random: &mut Random) {
        let name = if sent.has("x-api-key") { "x-api-key" } else { "authorization" };
        let Some(value) = sent.header(name) else { return };
        let (scheme, text) = value.rsplit_once(' ').unwrap_or(("", &value));
        let roots = &self.deployment.world.roots;
        let root = &roots[random.below(roots.len())];
        let text = match (credential::native(text), random.below(10)) {
            (_, 0) => format!("{text}0"),
            (_, 1) => text.to_lowercase(),
            (_, 2) => text[..text.len() - 1].to_owned(),
            (_, 3) => flip(text, random.below(text.len()), random),
            (Some(own), 4) => root.key(own.prefix, own.kid, own.generation(), random),
            (Some(own), 5) => root.key(own.prefix, own.kid, random.pick(&[0, 1, 2, 3, 31]), random),
            (Some(own), 6) => root.key_of("zz", own.kid, &own.secret[..27]),
            (Some(own), 7) => {
                let kid = root.kid(&own.kid[1..7], random);
                root.key(own.prefix, &kid, 0, random)
            }
            (Some(own), 8) => {
                root.key_of(own.prefix, &flip(own.kid, 19, random), &own.secret[..27])
            }
            (Some(own), _) => {
                let text =
                    format!("{}_{}_{}", own.prefix, own.kid, flip(&own.secret[..33], 30, random));
                crate::spell::with_checksum(&text)
            }
            (None, 4..=6) => data_encoding::BASE64.encode(&random.bits().to_le_bytes().repeat(4)),
            (None, _) => flip(text, 0, random),
        };
        let value = if scheme.is_empty() { text } else { format!("{scheme} {text}") };
        sent.set(name, value);
    }
}

/// What does not answer.
pub fn faults(random: &mut Random) -> Faults {
    let kv = random.chance(500);
    Faults { kv, workspace: !kv || random.chance(400), issuer: random.chance(500), forged: false }
}

fn flip(text: &str, at: usize, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let symbol = SYMBOLS[random.below(SYMBOLS.len())];
    bytes.get_mut(at).into_iter().for_each(|byte| *byte = symbol);
    String::from_utf8(bytes).unwrap()
}

fn target(target: &str, random: &mut Random) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    let class = random.pick(&CLASSES);
    match random.below(6) {
        0 => format!("/classes/{class}{query}"),
        1 => format!("/classes/a{class}{}", random.pick(&CLASSES)),
        2 => format!("{path}{}{query}", random.pick(&ENDS)),
        3 => format!("{path}?{}", random.pick(&QUERIES)),
        4 => {
            let rest = path.get(1..).and_then(|rest| rest.find('/'));
            let at = rest.map_or(path.len(), |at| at + 1);
            format!("{}{}{}{query}", &path[..at], random.pick(&ENDS), &path[at..])
        }
        _ => random.pick(&TARGETS).to_owned(),
    }
}

fn host(host: &str, random: &mut Random) -> String {
    match random.below(4) {
        0 => random.pick(&["admin.test", "ADMIN.test:80", "admin.test."]).to_owned(),
        1 => format!("{host}."),
        2 => format!("x{host}"),
        _ => random.pick(&HOSTS).to_owned(),
    }
}

fn form(sent: &mut Sent, random: &mut Random) {
    match random.below(7) {
        0 => sent.set("upgrade", "websocket"),
        1 => sent.set("content-length", random.pick(&["", "x", "1, 1", "-1", "+1", "1.0", "0x1"])),
        2 => {
            sent.set("content-length", random.pick(&["15", "16", "17", "31", "32", "33", "999999"]))
        }
        3 => {
            sent.remove("content-length");
            sent.set("transfer-encoding", "chunked");
            sent.body = Some(b"body".to_vec());
        }
        4 => {
            sent.body = Some(b"x".to_vec());
            sent.set("content-length", "1");
        }
        5 => sent.add("content-length", "1"),
        _ => sent.add("content-type", "text/plain"),
    }
}

fn page(sent: &mut Sent, random: &mut Random) {
    sent.set("origin", random.pick(&ORIGINS));
    sent.set("access-control-request-method", random.pick(&["GET", "POST", "PATCH", "TRACE"]));
    if random.chance(800) {
        sent.method = "OPTIONS".to_owned();
    }
    if random.chance(700) {
        sent.target = random.pick(&["/pages", "/pages/any", "/any", "/nowhere"]).to_owned();
    }
}

fn headers(sent: &mut Sent, random: &mut Random) {
    let own = sent.header("authorization").or(sent.header("x-api-key")).unwrap_or_default();
    match random.below(13) {
        0 => sent.add("authorization", "Bearer x"),
        1 => sent.add("x-api-key", "x"),
        2 => sent.set("x-api-key", format!("{own}, x")),
        3 => sent.set("x-key-id", "00000000000000000000"),
        4 => {
            sent.remove("authorization");
            sent.remove("x-api-key");
        }
        5 => sent.set("authorization", format!("Basic {own}")),
        6 => sent.set("authorization", format!("Bearer  {own}")),
        7 => sent.set("authorization", format!("Bearer\t{own}")),
        8 => sent.set("authorization", random.pick(&["", "Bearer", "Bearerx y", "Bearer: y"])),
        9 => sent.set("authorization", random.pick(&["Bearer a.b.c", "Bearer ..", "Digest a, b"])),
        10 => sent.add("x-access-token", "a.b.c"),
        11 => {
            sent.set("x-signature", "0".repeat(64));
            sent.set("signature", "sig=:AA==:");
        }
        _ => sent.add("authorization", "Basic x"),
    }
}

fn signature(sent: &mut Sent, now: u64, random: &mut Random) {
    let name = if sent.has("x-signature") { "x-signature" } else { "signature" };
    let input = sent.header("signature-input").unwrap_or_default();
    let value = sent.header(name).unwrap_or_default();
    let body = sent.body.as_mut().filter(|_| random.chance(300));
    if let Some(first) = body.and_then(|body| body.first_mut()) {
        *first ^= 1;
        return;
    }
    match random.below(16) {
        0 => sent.set(name, value.to_uppercase()),
        1 => sent.set(name, value[..value.len().saturating_sub(1)].to_owned()),
        2 => sent.set(name, flip(&value, value.len() / 2, random)),
        3 => sent.add(name, value),
        4 => sent.remove(name),
        5 => {
            sent.set("x-timestamp", random.pick(&["", "+1800000000", "1800000000.0", "018000000"]))
        }
        6 => sent.set("x-timestamp", (now - 1).to_string()),
        7 => sent.target.push_str(if sent.target.contains('?') { "&z" } else { "?z" }),
        8 => {
            if let Some(first) = sent.body.as_mut().and_then(|body| body.first_mut()) {
                *first ^= 1;
            }
        }
        9 => sent.method = random.pick(&["PUT", "DELETE", "POST", "HEAD"]).to_owned(),
        10 => sent.set("x-key-id", "0DEM0WS0000000000000"),
        11 => sent.set("signature-input", input.replace("\"@query\"", "\"@query\" ")),
        12 => sent.set("signature-input", input.replace(";tag", ";alg=\"hmac-sha256\";tag")),
        13 => sent.set("signature-input", input.replacen("created=1", "created=01", 1)),
        14 => sent.set("signature-input", input.replace(" \"@path\"", "")),
        _ => sent.set("content-digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"),
    }
}

fn claims(sent: &mut Sent, now: u64, random: &mut Random) {
    let name = if sent.has("x-access-token") { "x-access-token" } else { "authorization" };
    let Some(value) = sent.header(name) else { return };
    let parts: Vec<&str> = value.split('.').collect();
    let [header, claims, signature] = parts[..] else { return };
    let decode = |part: &str| {
        let bytes = data_encoding::BASE64URL_NOPAD.decode(part.as_bytes()).unwrap_or_default();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap_or_default()
    };
    let (scheme, header) = header.rsplit_once(' ').unwrap_or(("", header));
    let (mut head, mut claims) = (decode(header), decode(claims));
    if !head.is_object() || !claims.is_object() {
        return;
    }
    match random.below(12) {
        0 => claims["exp"] = random.pick(&[now - 30, now - 31, now - 29, now - 3600]).into(),
        1 => claims["nbf"] = random.pick(&[now + 30, now + 31, now + 32]).into(),
        2 => claims["iat"] = random.pick(&[now + 30, now + 31, now + 32]).into(),
        3 => {
            claims["iss"] = random.pick(&["https://people.test/", "https://access.test", ""]).into()
        }
        4 => claims["aud"] = random.pick(&["api2", "ap", ""]).into(),
        5 => claims["sub"] = random.pick(&["", "user 1", "user-2"]).into(),
        6 => claims["scope"] = random.pick(&["", "agents:rea", "admin:read", "write"]).into(),
        7 => head["alg"] = random.pick(&["none", "HS256", "RS256", "ES256"]).into(),
        8 => head["kid"] = random.pick(&["", "other"]).into(),
        9 => head["typ"] = random.pick(&["JWT", "at+jwt", "at+jw"]).into(),
        10 => head["crit"] = serde_json::json!(["exp"]),
        _ => drop(claims.as_object_mut().map(|own| own.remove("exp"))),
    }
    let (head, claims) = (crate::token::encode(&head), crate::token::encode(&claims));
    let text = format!("{head}.{claims}.{signature}");
    sent.set(name, if scheme.is_empty() { text } else { format!("{scheme} {text}") });
}

const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "PROPFIND"];
const ELSEWHERE: [(&str, &str); 14] = [
    ("GET", "/"),
    ("GET", "/nowhere"),
    ("GET", "/v1/keys/usage"),
    ("POST", "/v1/keys/usage"),
    ("GET", "/v1/admin"),
    ("PATCH", "/v1/agents"),
    ("GET", "/v1/agents/agent-12"),
    ("GET", "/people/people:ada"),
    ("GET", "/people/ada"),
    ("GET", "/people/people:eve"),
    ("GET", "/projects/gemini"),
    ("GET", "/oauth"),
    ("GET", "/limited"),
    ("GET", "/V1/agents"),
];
const OUTSIDE: [&str; 12] = [
    "203.0.112.255",
    "203.0.114.0",
    "2001:db7:ffff::",
    "2001:db9::",
    "198.51.100.6",
    "198.51.100.8",
    "::203.0.113.5",
    "0203.0.113.5",
    "203.0.113.5:80",
    "[2001:db8::1]",
    "localhost",
    "::ffff:198.51.100.1",
];
const CLASSES: [&str; 22] = [
    "a/",
    "a;b",
    "a;",
    "a%2Fb",
    "a%5Cb",
    "100%25",
    "%252E",
    "a%3Bb",
    "a%3Fb",
    "a%23b",
    "..%2Fb",
    "..;x/b",
    "..%3Bx",
    "a%2F%2Fb",
    "%E2%82%AC",
    "%C3",
    "%00",
    "%7E",
    "%2e",
    "...",
    "a%2F",
    "%25zz",
];
const ENDS: [&str; 18] = [
    "/", "/.", "/..", "//", "\\", ";", "%20", "%2F", "%2f", "%", "%4", "#", "\"", "^", "|", "é",
    " ", "%41",
];
const QUERIES: [&str; 7] = ["", "'", "x=<b>", "\"", "%zz", "a#b", "é"];
const TARGETS: [&str; 8] =
    ["", "*", "?a", "http://api.test/any", "//any", "/./any", "/a/../any", "/v1/%61gents"];
const HOSTS: [&str; 7] = [
    "evil.test",
    "api.test:",
    "api.test:http",
    "api.test:000443",
    "api.test@evil.test",
    "api.testing",
    "api.test:80:80",
];
const ORIGINS: [&str; 6] = [
    "https://app.test",
    "http://localhost:3000",
    "https://app.test:8443",
    "http://app.test",
    "https://APP.test",
    "null",
];
