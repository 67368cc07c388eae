//! Version 1: method, target, timestamp, perhaps a nonce, and the body, each but the last with a line feed.

use super::keys::HOST;
use super::{Case, Cases, Keys, METHODS, Request, Signed, TAILS, bodies, hex, mac, sha256};

/// What is signed and with what; then it is sent.
struct Draft {
    key: &'static str,
    secret: String,
    bearer: bool,
    method: String,
    host: String,
    target: String,
    timestamp: String,
    nonce: Option<String>,
    body: Option<Vec<u8>>,
    /// In place of the message.
    message: Option<Vec<u8>>,
}

pub(super) fn cases(keys: &Keys, now: u64) -> Vec<Case> {
    let mut cases = Cases { keys, now, all: Vec::new() };
    cases.allowed();
    cases.headers();
    cases.changed();
    cases.otherwise();
    cases.nonces();
    cases.secrets();
    cases.credentials();
    cases.records();
    cases.all
}

impl Cases<'_> {
    fn add(
        &mut self,
        id: &str,
        expect: &'static str,
        signed: impl FnOnce(&mut Draft),
        sent: impl FnOnce(&mut Request),
    ) {
        let mut draft = Draft {
            key: "only",
            secret: self.keys.secret("only", 0),
            bearer: false,
            method: "POST".to_owned(),
            host: HOST.to_owned(),
            target: format!("/near/v1/{id}?a=1&b=2"),
            timestamp: self.now.to_string(),
            nonce: None,
            body: Some(b"{\"name\":\"x\"}\n".to_vec()),
            message: None,
        };
        signed(&mut draft);
        let (mut request, signed) = self.made(&draft);
        sent(&mut request);
        // What was done to it afterwards is no signer's.
        let reproducible = signed.headers.iter().all(|header| request.headers.contains(header))
            && draft.message.is_none();
        let signed = (expect == "allow" && !request.header("x-signature").is_empty())
            .then_some(Signed { reproducible, ..signed });
        let id = id.to_owned();
        let (native_only, exact) = (None, false);
        self.all.push(Case { id, key: draft.key, request, expect, native_only, exact, signed });
    }

    fn made(&self, draft: &Draft) -> (Request, Signed) {
        let message = draft.message.clone().unwrap_or_else(|| {
            let mut text = format!("{}\n{}\n{}\n", draft.method, draft.target, draft.timestamp);
            if let Some(nonce) = &draft.nonce {
                text = format!("{text}{nonce}\n");
            }
            [text.as_bytes(), draft.body.as_deref().unwrap_or_default()].concat()
        });
        let mut headers = vec![("X-Timestamp".to_owned(), draft.timestamp.clone())];
        headers.extend(draft.nonce.iter().map(|nonce| ("X-Nonce".to_owned(), nonce.clone())));
        headers.push(("X-Signature".to_owned(), hex(&mac(draft.secret.as_bytes(), &message))));
        let credential = if draft.bearer {
            ("Authorization".to_owned(), format!("Bearer {}", self.keys.text(draft.key)))
        } else {
            ("X-Key-Id".to_owned(), self.keys.kid(draft.key))
        };
        let signed = Signed {
            reproducible: true,
            secret: draft.secret.clone(),
            message,
            created: draft.timestamp.parse().unwrap_or_default(),
            expires: None,
            nonce: draft.nonce.clone(),
            headers: headers.clone(),
        };
        headers.insert(0, credential);
        let request = Request {
            method: draft.method.clone(),
            scheme: "http",
            host: draft.host.clone(),
            target: draft.target.clone(),
            headers,
            body: draft.body.clone(),
        };
        (request, signed)
    }

    /// Signed by another key of the file, in the place of `only`.
    fn by(&self, name: &'static str) -> impl Fn(&mut Draft) + use<> {
        let secret = self.keys.secret(name, 0);
        move |draft| {
            draft.key = name;
            draft.secret.clone_from(&secret);
        }
    }

    fn allowed(&mut self) {
        for method in METHODS {
            self.add(
                &format!("{}-without-body", method.to_lowercase()),
                "allow",
                |draft| (draft.method, draft.body) = (method.to_owned(), None),
                |_| (),
            );
        }
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            for (name, body) in bodies() {
                self.add(
                    &format!("{}-{name}", method.to_lowercase()),
                    "allow",
                    |draft| (draft.method, draft.body) = (method.to_owned(), Some(body)),
                    |_| (),
                );
            }
        }
        for method in ["GET", "POST", "DELETE"] {
            for (name, tail) in TAILS {
                self.add(
                    &format!("{}-target-{name}", method.to_lowercase()),
                    "allow",
                    |draft| {
                        draft.method = method.to_owned();
                        draft.target = format!("/near/{}-{name}{tail}", method.to_lowercase());
                        if method == "GET" {
                            draft.body = None;
                        }
                    },
                    |_| (),
                );
            }
        }
        for offset in [-300, -299, -60, -1, 1, 59, 60] {
            for method in ["GET", "POST"] {
                let at = self.seconds(offset).to_string();
                self.add(
                    &format!("{}-window{offset:+}", method.to_lowercase()),
                    "allow",
                    |draft| {
                        (draft.timestamp, draft.method) = (at, method.to_owned());
                        if method == "GET" {
                            draft.body = None;
                        }
                    },
                    |_| (),
                );
                if offset == -300 {
                    self.exact();
                }
            }
        }
        for (name, host) in
            [("upper-case", "API.TEST"), ("port", "api.test:80"), ("port-other", "api.test:8080")]
        {
            self.add(
                &format!("host-{name}"),
                "allow",
                |draft| draft.host = host.to_owned(),
                |_| (),
            );
        }
        for host in ["api.test", "localhost", "localhost:9"] {
            let by = self.by("hosts");
            let id = format!("hosts-{}", host.replace(['.', ':'], "-"));
            self.add(
                &id,
                "allow",
                |draft| {
                    by(draft);
                    draft.host = host.to_owned();
                },
                |_| (),
            );
        }
        self.add(
            "of-no-bytes",
            "allow",
            |draft| draft.body = Some(Vec::new()),
            |request| request.add("Content-Length", "0"),
        );
        // What version 1 says nothing of.
        for (name, value) in [
            ("Content-Type", "application/json"),
            ("X-Nonce", "0123456789abcdef"),
            ("Digest", "x"),
            ("Content-Digest", "x"),
            ("Accept", "text/html"),
        ] {
            self.add(
                &format!("unsigned-{}", name.to_lowercase()),
                "allow",
                |_| (),
                |request| request.add(name, value),
            );
        }
    }

    /// The two headers by their form. THREATS S02, S03, S04, S06.
    fn headers(&mut self) {
        let now = self.now;
        for (name, text) in [
            ("plus", format!("+{now}")),
            ("minus", format!("-{now}")),
            ("fraction", format!("{now}.0")),
            ("hex", format!("0x{now:x}")),
            ("milliseconds", format!("{now}000")),
            ("microseconds", format!("{now}000000")),
            ("eleven-digits", format!("0{now}")),
            ("nine-digits", "999999999".to_owned()),
            ("leading-zero", "0800000000".to_owned()),
            ("exponent", "18e8".to_owned()),
            ("underscores", "1_800_000_000".to_owned()),
            ("letters", "now".to_owned()),
            ("iso", "2027-01-15T08:00:00Z".to_owned()),
            ("http-date", "Fri, 15 Jan 2027 08:00:00 GMT".to_owned()),
            ("quoted", format!("\"{now}\"")),
            ("two", format!("{now}, {now}")),
            ("zero", "0".to_owned()),
        ] {
            self.add(
                &format!("timestamp-{name}"),
                "STALE_TIMESTAMP",
                |draft| draft.timestamp = text,
                |_| (),
            );
        }
        self.add(
            "timestamp-missing",
            "STALE_TIMESTAMP",
            |_| (),
            |request| request.remove("X-Timestamp"),
        );
        self.add(
            "timestamp-empty",
            "STALE_TIMESTAMP",
            |_| (),
            |request| request.set("X-Timestamp", ""),
        );
        self.add(
            "timestamp-twice",
            "STALE_TIMESTAMP",
            |_| (),
            |request| {
                let own = request.header("X-Timestamp");
                request.add("X-Timestamp", &own);
            },
        );
        for offset in [-301, -302, -3600, -86_400, 61, 62, 3600, 86_400] {
            for method in ["GET", "POST"] {
                let at = self.seconds(offset).to_string();
                let id = format!("{}-window{offset:+}", method.to_lowercase());
                self.add(
                    &id,
                    "STALE_TIMESTAMP",
                    |draft| {
                        (draft.timestamp, draft.method) = (at, method.to_owned());
                        if method == "GET" {
                            draft.body = None;
                        }
                    },
                    |_| (),
                );
                if offset == 61 {
                    self.exact();
                }
            }
        }
        for (id, change) in CHANGED_MACS {
            let expect = if *id == "empty" { "SIGNATURE_REQUIRED" } else { "INVALID_SIGNATURE" };
            self.add(
                &format!("mac-{id}"),
                expect,
                |_| (),
                |request| request.edit("X-Signature", change),
            );
        }
        self.add(
            "mac-missing",
            "SIGNATURE_REQUIRED",
            |_| (),
            |request| request.remove("X-Signature"),
        );
        self.add(
            "mac-twice",
            "INVALID_SIGNATURE",
            |_| (),
            |request| {
                let own = request.header("X-Signature");
                request.add("X-Signature", &own);
            },
        );
        self.add(
            "mac-and-wrong-mac",
            "INVALID_SIGNATURE",
            |_| (),
            |request| request.add("X-Signature", &"0".repeat(64)),
        );
        self.add(
            "mac-space-around",
            "allow",
            |_| (),
            |request| request.edit("X-Signature", |mac| format!(" {mac}\t")),
        );
        for (name, at) in [("first", 0), ("second", 1), ("middle", 31), ("last", 63)] {
            self.add(
                &format!("mac-{name}-digit"),
                "INVALID_SIGNATURE",
                |_| (),
                |request| {
                    request.edit("X-Signature", |mac| {
                        let other = if mac.as_bytes()[at] == b'0' { "1" } else { "0" };
                        format!("{}{other}{}", &mac[..at], &mac[at + 1..])
                    });
                },
            );
        }
        self.add(
            "timestamp-changed",
            "INVALID_SIGNATURE",
            |_| (),
            |request| {
                request.set("X-Timestamp", &(now - 1).to_string());
            },
        );
        // THREATS T10.
        self.add(
            "headers-of-version-2",
            "INVALID_SIGNATURE",
            |_| (),
            |request| {
                request.remove("X-Signature");
                request.remove("X-Timestamp");
                version_2(request, now);
            },
        );
        self.add(
            "headers-of-both-versions",
            "AMBIGUOUS_CREDENTIALS",
            |_| (),
            |request| version_2(request, now),
        );
    }

    /// Something else is sent than was signed. THREATS S07, S08, S10.
    fn changed(&mut self) {
        for (signed, sent) in [
            ("POST", "PUT"),
            ("POST", "PATCH"),
            ("POST", "DELETE"),
            ("PUT", "POST"),
            ("PATCH", "POST"),
            ("DELETE", "POST"),
            ("GET", "HEAD"),
            ("HEAD", "GET"),
            ("GET", "DELETE"),
        ] {
            let id = format!("method-{}-as-{}", signed.to_lowercase(), sent.to_lowercase());
            self.add(
                &id,
                "INVALID_SIGNATURE",
                |draft| (draft.method, draft.body) = (signed.to_owned(), None),
                |request| request.method = sent.to_owned(),
            );
        }
        for (id, from, to) in [
            ("added", "?a=1&b=2", "?a=1&b=2&c=3"),
            ("removed", "&b=2", ""),
            ("all-removed", "?a=1&b=2", ""),
            ("emptied", "?a=1&b=2", "?="),
            ("changed", "a=1", "a=2"),
            ("reordered", "?a=1&b=2", "?b=2&a=1"),
            ("escaped", "?a=1&b=2", "?a=1%26b=2"),
            ("plus", "?a=1&b=2", "?a=1&b=+2"),
            ("ampersand-added", "b=2", "b=2&"),
            ("upper-case", "a=1", "A=1"),
            ("path-segment", "/near/v1/", "/near/v1/x/"),
            ("path-case", "/near/v1/", "/near/V1/"),
            ("path-escape", "/near/v1/", "/near/v1%20/"),
            ("path-other-route", "/near/", "/far/"),
        ] {
            self.add(
                &format!("target-{id}"),
                "INVALID_SIGNATURE",
                |_| (),
                |request| request.target = request.target.replacen(from, to, 1),
            );
        }
        self.add(
            "target-query-for-path",
            "INVALID_SIGNATURE",
            |draft| draft.target = draft.target.replacen('?', "/", 1),
            |request| {
                request.target = request.target.replacen("/a=1", "?a=1", 1);
            },
        );
        for (name, body) in bodies() {
            self.add(
                &format!("body-{name}-and-a-byte"),
                "INVALID_SIGNATURE",
                |draft| draft.body = Some(body),
                |request| {
                    request.body.iter_mut().for_each(|body| body.push(b'\n'));
                },
            );
        }
        for (id, signed, sent) in [
            ("byte", Some("{\"a\":1}"), Some("{\"a\":2}")),
            ("bit", Some("a"), Some("c")),
            ("crlf-for-lf", Some("a\nb\n"), Some("a\r\nb\r\n")),
            ("lf-for-crlf", Some("a\r\nb\r\n"), Some("a\nb\n")),
            ("written-anew", Some("{\"a\":1,\"b\":2}"), Some("{\"a\": 1, \"b\": 2}")),
            ("members-reordered", Some("{\"a\":1,\"b\":2}"), Some("{\"b\":2,\"a\":1}")),
            ("number-spelt-otherwise", Some("{\"a\":1.0}"), Some("{\"a\":1}")),
            ("escape", Some("{\"a\":\"é\"}"), Some("{\"a\":\"\\u00e9\"}")),
            ("normal-form", Some("\u{e9}"), Some("e\u{301}")),
            ("mark", Some("{}"), Some("\u{feff}{}")),
            ("space-at-the-end", Some("{}"), Some("{} ")),
            ("space-before", Some("{}"), Some(" {}")),
            ("shorter", Some("{\"a\":1}"), Some("{\"a\":1")),
            ("nul", Some("a"), Some("a\0")),
            ("removed", Some("{}"), None),
            ("added", None, Some("{}")),
            ("latin-1", Some("é"), Some("\u{c3}\u{a9}")),
        ] {
            let [signed, sent] =
                [signed, sent].map(|body| body.map(|text| text.as_bytes().to_vec()));
            self.add(
                &format!("body-{id}"),
                "INVALID_SIGNATURE",
                |draft| draft.body = signed,
                |request| request.body = sent,
            );
        }
        // THREATS S13.
        let second = self.keys.kid("second");
        self.add(
            "key-id-of-another",
            "INVALID_SIGNATURE",
            |_| (),
            |request| request.set("X-Key-Id", &second),
        );
        for host in ["localhost", "127.0.0.1", "localhost:80"] {
            let id = format!("host-{}", host.replace(['.', ':'], "-"));
            self.add(&id, "INVALID_SIGNATURE", |_| (), |request| request.host = host.to_owned());
        }
        for name in ["elsewhere", "nowhere"] {
            self.add(&format!("host-not-of-{name}"), "INVALID_SIGNATURE", self.by(name), |_| ());
        }
        self.add(
            "host-of-nobody",
            "UNKNOWN_HOST",
            |draft| draft.host = "other.test".to_owned(),
            |_| (),
        );
    }

    /// The message is put together otherwise.
    fn otherwise(&mut self) {
        for (id, message) in MESSAGES {
            self.add(
                &format!("message-{id}"),
                "INVALID_SIGNATURE",
                |draft| draft.message = Some(message(draft)),
                |_| (),
            );
        }
    }

    fn nonces(&mut self) {
        for length in [16, 17, 22, 32, 63, 64] {
            let (by, id) = (self.by("nonce"), format!("nonce-of-{length}"));
            let nonce = self.nonce(&id, length);
            self.add(
                &id,
                "allow",
                |draft| {
                    by(draft);
                    draft.nonce = Some(nonce.clone());
                },
                |_| (),
            );
            let id = format!("get-{id}");
            let nonce = self.nonce(&id, length);
            self.add(
                &id,
                "allow",
                |draft| {
                    by(draft);
                    draft.nonce = Some(nonce);
                    (draft.method, draft.body) = ("GET".to_owned(), None);
                },
                |_| (),
            );
        }
        for (id, end) in [
            ("dash", "-"),
            ("underscore", "_"),
            ("dot", "."),
            ("tilde", "~"),
            ("plus", "+"),
            ("slash", "/"),
            ("equals", "=="),
        ] {
            let by = self.by("nonce");
            let nonce = format!("{}{end}", self.nonce(id, 22));
            self.add(
                &format!("nonce-with-{id}"),
                "allow",
                |draft| {
                    by(draft);
                    draft.nonce = Some(nonce);
                },
                |_| (),
            );
        }
        for length in [0, 1, 8, 15, 65, 66, 128, 129] {
            let (by, id) = (self.by("nonce"), format!("nonce-of-{length}"));
            let nonce = "n".repeat(length);
            self.add(
                &id,
                "INVALID_SIGNATURE",
                |draft| {
                    by(draft);
                    draft.nonce = Some(nonce);
                },
                |_| (),
            );
        }
        for (id, bad) in [
            ("space", " "),
            ("comma", ","),
            ("quote", "\""),
            ("colon", ":"),
            ("semicolon", ";"),
            ("tab", "\t"),
            ("latin", "\u{e9}"),
        ] {
            let by = self.by("nonce");
            let nonce = format!("{}{bad}x", self.nonce(id, 20));
            self.add(
                &format!("nonce-with-{id}"),
                "INVALID_SIGNATURE",
                |draft| {
                    by(draft);
                    draft.nonce = Some(nonce);
                },
                |_| (),
            );
            if id == "latin" {
                self.native_only(
                    "a header of other bytes than ASCII is another text to each client",
                );
            }
        }
        let by = self.by("nonce");
        self.add("nonce-missing", "INVALID_SIGNATURE", &by, |_| ());
        let nonce = self.nonce("nonce-not-signed", 22);
        self.add("nonce-not-signed", "INVALID_SIGNATURE", &by, |request| {
            request.add("X-Nonce", &nonce)
        });
        self.add(
            "nonce-removed",
            "INVALID_SIGNATURE",
            |draft| {
                by(draft);
                draft.nonce = Some(nonce.clone());
            },
            |request| request.remove("X-Nonce"),
        );
        let other = self.nonce("nonce-changed", 22);
        self.add(
            "nonce-changed",
            "INVALID_SIGNATURE",
            |draft| {
                by(draft);
                draft.nonce = Some(nonce.clone());
            },
            |request| request.set("X-Nonce", &other),
        );
        self.add(
            "nonce-case",
            "INVALID_SIGNATURE",
            |draft| {
                by(draft);
                draft.nonce = Some("abcdefghijklmnop".to_owned());
            },
            |request| request.set("X-Nonce", "ABCDEFGHIJKLMNOP"),
        );
        self.add(
            "nonce-twice",
            "INVALID_SIGNATURE",
            |draft| {
                by(draft);
                draft.nonce = Some(nonce.clone());
            },
            |request| request.add("X-Nonce", &other),
        );
        self.add(
            "nonce-after-the-body",
            "INVALID_SIGNATURE",
            |draft| {
                by(draft);
                draft.message = Some(
                    format!(
                        "POST\n{}\n{}\n{{\"name\":\"x\"}}\n{nonce}\n",
                        draft.target, draft.timestamp
                    )
                    .into_bytes(),
                );
                draft.nonce = Some(nonce.clone());
            },
            |_| (),
        );
        self.add(
            "nonce-of-a-key-without",
            "INVALID_SIGNATURE",
            |draft| draft.nonce = Some(nonce.clone()),
            |_| (),
        );
    }

    /// Signed with something else than the key's live secret.
    fn secrets(&mut self) {
        for (id, key, generation, expect) in [
            ("newest", "rotated", 2, "allow"),
            ("in-its-grace", "rotated", 1, "allow"),
            ("expired", "rotated", 0, "INVALID_SIGNATURE"),
            ("not-yet-made", "rotated", 3, "INVALID_SIGNATURE"),
            ("not-yet-made-of-one", "only", 1, "INVALID_SIGNATURE"),
            ("of-an-older-root", "old_root", 0, "allow"),
            ("in-its-first-second-after", "edges", 0, "INVALID_SIGNATURE"),
            ("in-its-last-second", "edges", 1, "allow"),
        ] {
            let secret = self.keys.secret(key, generation);
            self.add(
                &format!("secret-{id}"),
                expect,
                |draft| (draft.key, draft.secret) = (key, secret),
                |_| (),
            );
            if key == "edges" {
                self.native_only("the record is about one second");
            }
        }
        for (id, change) in SECRETS {
            self.add(
                &format!("secret-{id}"),
                "INVALID_SIGNATURE",
                |draft| draft.secret = change(&draft.secret),
                |_| (),
            );
        }
        let (key, kid) = (self.keys.text("only"), self.keys.kid("only"));
        self.add("secret-is-the-key", "INVALID_SIGNATURE", |draft| draft.secret = key, |_| ());
        self.add("secret-is-the-kid", "INVALID_SIGNATURE", |draft| draft.secret = kid, |_| ());
        for other in ["second", "nonce", "other_version"] {
            let secret = self.keys.secret(other, 0);
            self.add(
                &format!("secret-of-{other}"),
                "INVALID_SIGNATURE",
                |draft| draft.secret = secret,
                |_| (),
            );
        }
    }

    /// Who signs, and what goes beside it.
    fn credentials(&mut self) {
        let keys = self.keys;
        let bearer = |name: &str| format!("Bearer {}", keys.text(name));
        for name in ["required", "optional"] {
            for method in ["GET", "POST"] {
                let by = self.by(name);
                self.add(
                    &format!("{}-{name}", method.to_lowercase()),
                    "allow",
                    |draft| {
                        by(draft);
                        (draft.bearer, draft.method) = (true, method.to_owned());
                        if method == "GET" {
                            draft.body = None;
                        }
                    },
                    |_| (),
                );
            }
            let by = self.by(name);
            let own = keys.text(name);
            self.add(
                &format!("x-api-key-{name}"),
                "allow",
                |draft| {
                    by(draft);
                    draft.bearer = true;
                },
                |request| {
                    request.remove("Authorization");
                    request.add("X-API-Key", &own);
                },
            );
            self.add(
                &format!("{name}-bad-mac"),
                "INVALID_SIGNATURE",
                |draft| {
                    by(draft);
                    draft.bearer = true;
                },
                |request| request.set("X-Signature", &"0".repeat(64)),
            );
            self.add(
                &format!("{name}-old"),
                "STALE_TIMESTAMP",
                |draft| {
                    by(draft);
                    draft.bearer = true;
                    draft.timestamp = "1700000000".to_owned();
                },
                |_| (),
            );
            self.add(
                &format!("{name}-body-changed"),
                "INVALID_SIGNATURE",
                |draft| {
                    by(draft);
                    draft.bearer = true;
                },
                |request| request.body = Some(b"{}".to_vec()),
            );
            self.add(&format!("{name}-by-key-id"), "INVALID_SIGNATURE", &by, |_| ());
            self.add(
                &format!("{name}-both-versions"),
                "AMBIGUOUS_CREDENTIALS",
                |draft| {
                    by(draft);
                    draft.bearer = true;
                },
                |request| version_2(request, 1_700_000_000),
            );
        }
        let (required, optional) = (self.by("required"), self.by("optional"));
        for (id, by, expect) in
            [("required", &required, "SIGNATURE_REQUIRED"), ("optional", &optional, "allow")]
        {
            self.add(
                &format!("{id}-unsigned"),
                expect,
                |draft| {
                    by(draft);
                    draft.bearer = true;
                },
                |request| request.remove("X-Signature"),
            );
        }
        let by = self.by("none");
        self.add(
            "none-signed",
            "allow",
            |draft| {
                by(draft);
                draft.bearer = true;
            },
            |_| (),
        );
        self.add(
            "none-badly-signed",
            "allow",
            |draft| {
                by(draft);
                draft.bearer = true;
            },
            |request| request.set("X-Signature", "x"),
        );
        self.add("none-by-key-id", "INVALID_SIGNATURE", &by, |_| ());
        self.add("only-as-bearer", "SIGNATURE_REQUIRED", |draft| draft.bearer = true, |_| ());
        self.add(
            "only-as-bearer-unsigned",
            "SIGNATURE_REQUIRED",
            |draft| draft.bearer = true,
            |request| request.remove("X-Signature"),
        );
        let own = keys.text("only");
        self.add(
            "only-as-x-api-key",
            "SIGNATURE_REQUIRED",
            |draft| draft.bearer = true,
            |request| {
                request.remove("Authorization");
                request.add("X-API-Key", &own);
            },
        );
        self.add(
            "bearer-of-another",
            "INVALID_SIGNATURE",
            |draft| {
                required(draft);
                draft.bearer = true;
            },
            |request| request.set("Authorization", &bearer("optional")),
        );
        for (id, name, value) in [
            ("bearer", "Authorization", bearer("required")),
            ("own-bearer", "Authorization", bearer("only")),
            ("x-api-key", "X-API-Key", keys.text("required")),
        ] {
            self.add(
                &format!("key-id-and-{id}"),
                "AMBIGUOUS_CREDENTIALS",
                |_| (),
                |request| request.add(name, &value),
            );
        }
        let kid = keys.kid("only");
        self.add(
            "key-id-twice",
            "AMBIGUOUS_CREDENTIALS",
            |_| (),
            |request| request.add("X-Key-Id", &kid),
        );
        self.add(
            "key-id-basic",
            "allow",
            |_| (),
            |request| request.add("Authorization", "Basic dTpw"),
        );
        self.add("key-id-missing", "MISSING_API_KEY", |_| (), |request| request.remove("X-Key-Id"));
        for (id, value) in [
            ("lower-case", kid.to_lowercase()),
            ("shorter", kid[..19].to_owned()),
            ("longer", format!("{kid}0")),
            ("with-a-prefix", format!("ak_{kid}")),
            ("of-nobody", "0TEST00ABCDEFGHJKMNP".to_owned()),
            ("text", "key".to_owned()),
            ("the-key", keys.text("only")),
            ("quoted", format!("\"{kid}\"")),
        ] {
            self.add(
                &format!("key-id-{id}"),
                "INVALID_SIGNATURE",
                |_| (),
                |request| request.set("X-Key-Id", &value),
            );
        }
    }

    /// What the record says besides; told once the signature holds.
    fn records(&mut self) {
        for (name, expect) in [
            ("revoked", "REVOKED_API_KEY"),
            ("disabled", "DISABLED_API_KEY"),
            ("expired", "EXPIRED_API_KEY"),
            ("unscoped", "PERMISSION_DENIED"),
        ] {
            let by = self.by(name);
            self.add(name, expect, &by, |_| ());
            self.add(&format!("{name}-bad-mac"), "INVALID_SIGNATURE", &by, |request| {
                request.set("X-Signature", &"0".repeat(64))
            });
        }
        for name in ["unsecret", "unsigned", "other_version"] {
            self.add(&format!("record-{name}"), "INVALID_SIGNATURE", self.by(name), |_| ());
        }
    }
}

/// Headers of the other version, of its form.
fn version_2(request: &mut Request, now: u64) {
    let kid = request.header("X-Key-Id");
    let input = format!(
        "sig=(\"@method\" \"@authority\" \"@path\" \"@query\");created={now};expires={};\
         nonce=\"0123456789abcdef\";keyid=\"{kid}\";tag=\"portcullis\"",
        now + 60
    );
    request.add("Signature-Input", &input);
    request.add("Signature", "sig=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:");
}

type Change = fn(&str) -> String;

const CHANGED_MACS: &[(&str, Change)] = &[
    ("empty", |_| String::new()),
    ("upper-case", str::to_uppercase),
    ("one-upper-case", |mac| mac.replacen(['a', 'b', 'c', 'd', 'e', 'f'], "A", 1)),
    ("63-digits", |mac| mac[..63].to_owned()),
    ("62-digits", |mac| mac[..62].to_owned()),
    ("65-digits", |mac| format!("{mac}0")),
    ("66-digits", |mac| format!("{mac}00")),
    ("half", |mac| mac[..32].to_owned()),
    ("base64", |mac| data_encoding::BASE64.encode(&bytes(mac))),
    ("base64url", |mac| data_encoding::BASE64URL_NOPAD.encode(&bytes(mac))),
    ("of-digits-in-base64", |mac| data_encoding::BASE64.encode(mac.as_bytes())),
    ("sha256-prefix", |mac| format!("sha256={mac}")),
    ("version-prefix", |mac| format!("v1={mac}")),
    ("0x", |mac| format!("0x{mac}")),
    ("quoted", |mac| format!("\"{mac}\"")),
    ("spaced", |mac| format!("{} {}", &mac[..32], &mac[32..])),
    ("colons", |mac| {
        mac.as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(":")
    }),
    ("zeros", |_| "0".repeat(64)),
    ("not-hex", |mac| format!("{}g", &mac[..63])),
    ("reversed", |mac| mac.chars().rev().collect()),
    ("twice-in-one", |mac| format!("{mac}{mac}")),
    ("list", |mac| format!("{mac},{mac}")),
];

type Message = fn(&Draft) -> Vec<u8>;

const MESSAGES: &[(&str, Message)] = &[
    ("crlf", |d| lines(d, "\r\n", &[&d.method, &d.target, &d.timestamp])),
    ("without-line-feeds", |d| lines(d, "", &[&d.method, &d.target, &d.timestamp])),
    ("spaces", |d| lines(d, " ", &[&d.method, &d.target, &d.timestamp])),
    ("dots", |d| lines(d, ".", &[&d.method, &d.target, &d.timestamp])),
    ("lower-case-method", |d| lines(d, "\n", &[&d.method.to_lowercase(), &d.target, &d.timestamp])),
    ("timestamp-first", |d| lines(d, "\n", &[&d.timestamp, &d.method, &d.target])),
    ("target-first", |d| lines(d, "\n", &[&d.target, &d.method, &d.timestamp])),
    ("without-method", |d| lines(d, "\n", &[&d.target, &d.timestamp])),
    ("without-timestamp", |d| lines(d, "\n", &[&d.method, &d.target])),
    ("without-query", |d| lines(d, "\n", &[&d.method, before_query(d), &d.timestamp])),
    ("without-slash", |d| lines(d, "\n", &[&d.method, &d.target[1..], &d.timestamp])),
    ("url", |d| {
        lines(d, "\n", &[&d.method, &format!("http://{}{}", d.host, d.target), &d.timestamp])
    }),
    ("https-url", |d| {
        lines(d, "\n", &[&d.method, &format!("https://{}{}", d.host, d.target), &d.timestamp])
    }),
    ("with-host", |d| lines(d, "\n", &[&d.method, &d.host, &d.target, &d.timestamp])),
    ("with-http-version", |d| {
        lines(d, "\n", &[&d.method, &format!("{} HTTP/1.1", d.target), &d.timestamp])
    }),
    ("escaped-target", |d| {
        lines(d, "\n", &[&d.method, &d.target.replace('&', "%26"), &d.timestamp])
    }),
    ("milliseconds", |d| lines(d, "\n", &[&d.method, &d.target, &format!("{}000", d.timestamp)])),
    ("without-body", |d| format!("{}\n{}\n{}\n", d.method, d.target, d.timestamp).into_bytes()),
    ("without-the-last-line-feed", |d| {
        format!("{}\n{}\n{}", d.method, d.target, d.timestamp).into_bytes()
    }),
    ("line-feed-after-the-body", |d| {
        [lines(d, "\n", &[&d.method, &d.target, &d.timestamp]), b"\n".to_vec()].concat()
    }),
    ("body-trimmed", |d| {
        format!("{}\n{}\n{}\n{{\"name\":\"x\"}}", d.method, d.target, d.timestamp).into_bytes()
    }),
    ("body-hashed", |d| {
        format!("{}\n{}\n{}\n{}", d.method, d.target, d.timestamp, hex(&sha256(body(d))))
            .into_bytes()
    }),
    ("body-in-base64", |d| {
        format!(
            "{}\n{}\n{}\n{}",
            d.method,
            d.target,
            d.timestamp,
            data_encoding::BASE64.encode(body(d))
        )
        .into_bytes()
    }),
    ("body-first", |d| {
        [body(d), lines(d, "\n", &[&d.method, &d.target, &d.timestamp]).as_slice()].concat()
    }),
    ("none", |_| Vec::new()),
    ("body-alone", |d| body(d).to_vec()),
];

const SECRETS: &[(&str, Change)] = &[
    ("empty", |_| String::new()),
    ("and-a-line-feed", |secret| format!("{secret}\n")),
    ("and-a-space", |secret| format!("{secret} ")),
    ("and-a-nul-byte-more-than-a-block", |secret| format!("{secret}\0")),
    ("lower-case", str::to_lowercase),
    ("without-its-prefix", |secret| secret.rsplit('_').next().unwrap_or_default().to_owned()),
    ("without-its-checksum", |secret| secret[..secret.len() - 7].to_owned()),
    ("in-base64", |secret| data_encoding::BASE64.encode(secret.as_bytes())),
    ("hashed", |secret| hex(&sha256(secret.as_bytes()))),
    ("quoted", |secret| format!("\"{secret}\"")),
    ("reversed", |secret| secret.chars().rev().collect()),
];

fn lines(draft: &Draft, between: &str, parts: &[&str]) -> Vec<u8> {
    let mut message: Vec<u8> =
        parts.iter().flat_map(|part| [part.as_bytes(), between.as_bytes()].concat()).collect();
    message.extend_from_slice(body(draft));
    message
}

fn body(draft: &Draft) -> &[u8] {
    draft.body.as_deref().unwrap_or_default()
}

fn before_query(draft: &Draft) -> &str {
    draft.target.split('?').next().unwrap_or_default()
}

fn bytes(mac: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(mac.as_bytes()).unwrap_or_default()
}
