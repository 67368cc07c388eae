//! Version 2: the profile of RFC 9421, its signature base put together from the components as they are named.

use data_encoding::BASE64;
use ring::digest;

use super::keys::HOST;
use super::{Case, Cases, Keys, METHODS, Request, Signed, TAILS, bodies, mac, sha256};

/// What is signed and with what; then it is sent.
struct Draft {
    key: &'static str,
    secret: String,
    bearer: bool,
    method: String,
    scheme: &'static str,
    host: String,
    target: String,
    content_type: Option<String>,
    digest: Option<String>,
    body: Option<Vec<u8>>,
    label: String,
    /// Components as they stand in the list; `None` for those that the profile says.
    components: Option<Vec<String>>,
    created: u64,
    expires: u64,
    nonce: String,
    /// Parameters as they stand after the list, without the first `;`; `None` for the profile's.
    parameters: Option<String>,
    /// What becomes of the signature base before it is signed.
    base: fn(&str) -> String,
}

pub(super) fn cases(keys: &Keys, now: u64) -> Vec<Case> {
    let mut cases = Cases { keys, now, all: Vec::new() };
    cases.v2_allowed();
    cases.v2_components();
    cases.v2_parameters();
    cases.v2_times();
    cases.v2_fields();
    cases.v2_changed();
    cases.v2_digests();
    cases.v2_secrets();
    cases.v2_credentials();
    cases.v2_records();
    cases.all
}

impl Cases<'_> {
    fn put(
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
            scheme: "http",
            host: HOST.to_owned(),
            target: format!("/near/v2/{id}?a=1&b=2"),
            content_type: Some("application/json".to_owned()),
            digest: None,
            body: Some(b"{\"name\":\"x\"}\n".to_vec()),
            label: "sig".to_owned(),
            components: None,
            created: self.now,
            expires: self.now + 60,
            nonce: self.nonce(id, 22),
            parameters: None,
            base: str::to_owned,
        };
        signed(&mut draft);
        if draft.digest.is_none() {
            draft.digest = body(&draft).map(content_digest);
        }
        let (mut request, signed) = self.v2_made(&draft);
        sent(&mut request);
        let as_made = signed.headers.iter().all(|header| request.headers.contains(header));
        let signed = (expect == "allow" && !request.header("signature").is_empty())
            .then_some(Signed { reproducible: signed.reproducible && as_made, ..signed });
        let id = id.to_owned();
        let (native_only, exact) = (None, false);
        self.all.push(Case { id, key: draft.key, request, expect, native_only, exact, signed });
    }

    fn v2_made(&self, draft: &Draft) -> (Request, Signed) {
        let keyid = self.keys.kid(draft.key);
        let mut headers = Vec::new();
        headers.extend(
            draft.content_type.iter().map(|text| ("Content-Type".to_owned(), text.clone())),
        );
        let digest: Vec<_> =
            draft.digest.iter().map(|text| ("Content-Digest".to_owned(), text.clone())).collect();
        headers.extend(digest.iter().cloned());
        let mut request = Request {
            method: draft.method.clone(),
            scheme: draft.scheme,
            host: draft.host.clone(),
            target: draft.target.clone(),
            headers,
            body: draft.body.clone(),
        };
        let components = draft.components.clone().unwrap_or_else(|| profile(draft));
        let parameters = draft.parameters.clone().unwrap_or_else(|| {
            format!(
                "created={};expires={};nonce=\"{}\";keyid=\"{keyid}\";tag=\"portcullis\"",
                draft.created, draft.expires, draft.nonce
            )
        });
        let params = format!("({});{parameters}", components.join(" "));
        let base = (draft.base)(&base(&request, &components, &params));
        let mac = BASE64.encode(&mac(draft.secret.as_bytes(), base.as_bytes()));
        let mut own = digest;
        own.push(("Signature-Input".to_owned(), format!("{}={params}", draft.label)));
        own.push(("Signature".to_owned(), format!("{}=:{mac}:", draft.label)));
        request.headers.retain(|(name, _)| name != "Content-Digest");
        request.headers.extend(own.iter().cloned());
        if draft.bearer {
            request.add("Authorization", &format!("Bearer {}", self.keys.text(draft.key)));
        }
        let by_profile =
            draft.components.is_none() && draft.parameters.is_none() && draft.label == "sig";
        let plain = draft.digest == body(draft).map(content_digest);
        let signed = Signed {
            reproducible: by_profile && plain,
            secret: draft.secret.clone(),
            message: base.into_bytes(),
            created: draft.created,
            expires: Some(draft.expires),
            nonce: Some(draft.nonce.clone()),
            headers: own,
        };
        (request, signed)
    }

    fn v2_by(&self, name: &'static str) -> impl Fn(&mut Draft) + use<> {
        let secret = self.keys.secret(name, 0);
        move |draft| {
            draft.key = name;
            draft.secret.clone_from(&secret);
        }
    }

    fn v2_allowed(&mut self) {
        for method in METHODS {
            for media in [None, Some("text/plain")] {
                let id = format!(
                    "{}-without-body{}",
                    method.to_lowercase(),
                    if media.is_some() { "-with-type" } else { "" }
                );
                self.put(
                    &id,
                    "allow",
                    |draft| {
                        (draft.method, draft.body) = (method.to_owned(), None);
                        draft.content_type = media.map(str::to_owned);
                    },
                    |_| (),
                );
            }
        }
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            for (name, body) in bodies() {
                for media in [None, Some("application/octet-stream")] {
                    let id = format!(
                        "{}-{name}{}",
                        method.to_lowercase(),
                        if media.is_some() { "-with-type" } else { "" }
                    );
                    self.put(
                        &id,
                        "allow",
                        |draft| {
                            (draft.method, draft.body) = (method.to_owned(), Some(body.clone()));
                            draft.content_type = media.map(str::to_owned);
                        },
                        |_| (),
                    );
                }
            }
        }
        for method in ["GET", "POST", "DELETE"] {
            for (name, tail) in TAILS {
                self.put(
                    &format!("{}-target-{name}", method.to_lowercase()),
                    "allow",
                    |draft| {
                        draft.method = method.to_owned();
                        draft.target = format!("/near/{}-{name}{tail}", method.to_lowercase());
                        if method == "GET" {
                            (draft.body, draft.content_type) = (None, None);
                        }
                    },
                    |_| (),
                );
            }
        }
        for (name, host) in [
            ("upper-case", "API.TEST"),
            ("port", "api.test:80"),
            ("port-other", "api.test:8080"),
            ("other", "localhost"),
            ("address", "127.0.0.1:8787"),
        ] {
            self.put(
                &format!("host-{name}"),
                "allow",
                |draft| draft.host = host.to_owned(),
                |_| (),
            );
        }
        for (name, host) in [
            ("plain", "api.test"),
            ("port", "api.test:443"),
            ("port-other", "api.test:8443"),
            ("port-of-http", "api.test:80"),
        ] {
            self.put(
                &format!("https-{name}"),
                "allow",
                |draft| (draft.scheme, draft.host) = ("https", host.to_owned()),
                |_| (),
            );
            self.native_only("served without TLS");
        }
        for (name, media) in [
            ("parameter", "application/json; charset=utf-8"),
            ("upper-case", "Application/JSON"),
            ("quoted", "multipart/form-data; boundary=\"a b\""),
            ("list", "a/b, c/d"),
        ] {
            self.put(
                &format!("type-{name}"),
                "allow",
                |draft| draft.content_type = Some(media.to_owned()),
                |_| (),
            );
        }
        for length in [16, 17, 22, 32, 63, 64] {
            let id = format!("nonce-of-{length}");
            let nonce = self.nonce(&id, length);
            self.put(&id, "allow", |draft| draft.nonce = nonce, |_| ());
        }
        for label in ["sig1", "a", "*x", "my-label", "a.b_c*"] {
            self.put(
                &format!("label-{}", label.replace(['*', '.', '_'], "-")),
                "allow",
                |draft| draft.label = label.to_owned(),
                |_| (),
            );
        }
        let [created, expires, keyid, nonce] = self.v2_parts();
        let tag = "tag=\"portcullis\"";
        for (id, order) in [
            ("reversed", [tag, &keyid, &nonce, &expires, &created]),
            ("tag-first", [tag, &created, &expires, &nonce, &keyid]),
            ("keyid-before-nonce", [&created, &expires, &keyid, &nonce, tag]),
            ("expires-first", [&expires, &created, &nonce, &keyid, tag]),
        ] {
            let own = self.nonce(&format!("order-{id}"), 22);
            let parameters = order.join(";").replace("NONCE", &own);
            self.put(
                &format!("order-{id}"),
                "allow",
                |draft| (draft.parameters, draft.nonce) = (Some(parameters), own),
                |_| (),
            );
        }
        for method in ["POST", "DELETE"] {
            self.put(
                &format!("{}-of-no-bytes", method.to_lowercase()),
                "allow",
                |draft| (draft.method, draft.body) = (method.to_owned(), Some(Vec::new())),
                |request| request.add("Content-Length", "0"),
            );
        }
        // What is not covered.
        for (name, value) in [
            ("X-Nonce", "0123456789abcdef"),
            ("X-Timestamp", "1"),
            ("Date", "x"),
            ("Accept-Signature", "x"),
            ("Digest", "x"),
        ] {
            self.put(
                &format!("unsigned-{}", name.to_lowercase()),
                "allow",
                |_| (),
                |request| request.add(name, value),
            );
        }
    }

    fn v2_components(&mut self) {
        let all = [
            "\"@method\"",
            "\"@authority\"",
            "\"@path\"",
            "\"@query\"",
            "\"content-digest\"",
            "\"content-type\"",
        ];
        // THREATS T02.
        for (at, name) in all.iter().enumerate() {
            let mut fewer = owned(&all);
            fewer.remove(at);
            let name = name.trim_matches(['"', '@']);
            self.put(
                &format!("without-{name}"),
                "INVALID_SIGNATURE",
                |draft| draft.components = Some(fewer),
                |_| (),
            );
            let mut twice = owned(&all);
            twice.insert(at, all[at].to_owned());
            self.put(
                &format!("twice-{name}"),
                "INVALID_SIGNATURE",
                |draft| draft.components = Some(twice),
                |_| (),
            );
            let mut token = owned(&all);
            token[at] = token[at].trim_matches('"').to_owned();
            self.put(
                &format!("{name}-as-token"),
                "INVALID_SIGNATURE",
                |draft| draft.components = Some(token),
                |_| (),
            );
            let mut parameter = owned(&all);
            parameter[at].push_str(";req");
            self.put(
                &format!("{name}-with-parameter"),
                "INVALID_SIGNATURE",
                |draft| draft.components = Some(parameter),
                |_| (),
            );
            let mut upper = owned(&all);
            upper[at] = upper[at].to_uppercase();
            self.put(
                &format!("{name}-in-upper-case"),
                "INVALID_SIGNATURE",
                |draft| draft.components = Some(upper),
                |_| (),
            );
        }
        for (at, second) in [
            (0, "authority"),
            (1, "path"),
            (2, "query"),
            (3, "content-digest"),
            (4, "content-type"),
        ] {
            let mut swapped = owned(&all);
            swapped.swap(at, at + 1);
            self.put(
                &format!("{second}-too-early"),
                "INVALID_SIGNATURE",
                |draft| draft.components = Some(swapped),
                |_| (),
            );
        }
        for extra in [
            "\"@target-uri\"",
            "\"@scheme\"",
            "\"@request-target\"",
            "\"@query-param\";name=\"a\"",
            "\"@status\"",
            "\"date\"",
            "\"host\"",
            "\"content-length\"",
            "\"x-key-id\"",
            "\"authorization\"",
        ] {
            let name = extra.split('"').nth(1).unwrap_or_default().replace('@', "");
            let more = [owned(&all), owned(&[extra])].concat();
            self.put(
                &format!("and-{name}"),
                "INVALID_SIGNATURE",
                |draft| draft.components = Some(more),
                |_| (),
            );
        }
        self.put(
            "nothing-covered",
            "INVALID_SIGNATURE",
            |draft| draft.components = Some(Vec::new()),
            |_| (),
        );
        self.put(
            "target-uri-alone",
            "INVALID_SIGNATURE",
            |draft| draft.components = Some(owned(&["\"@target-uri\""])),
            |_| (),
        );
        self.put(
            "digest-covered-without-body",
            "INVALID_SIGNATURE",
            |draft| {
                draft.components = Some(owned(&all));
                draft.digest = Some(content_digest(b""));
                draft.body = None;
            },
            |_| (),
        );
        self.put(
            "type-covered-without-type",
            "INVALID_SIGNATURE",
            |draft| (draft.components, draft.content_type) = (Some(owned(&all)), None),
            |_| (),
        );
    }

    /// Created, expires, keyid, and nonce with `NONCE` for its text.
    fn v2_parts(&self) -> [String; 4] {
        let (now, kid) = (self.now, self.keys.kid("only"));
        [
            format!("created={now}"),
            format!("expires={}", now + 60),
            format!("keyid=\"{kid}\""),
            "nonce=\"NONCE\"".to_owned(),
        ]
    }

    fn v2_parameters(&mut self) {
        let (now, kid) = (self.now, self.keys.kid("only"));
        let end = now + 60;
        let [created, expires, keyid, nonce] = self.v2_parts();
        let tag = "tag=\"portcullis\"".to_owned();
        let all = [created, expires, nonce, keyid, tag];
        let names = ["created", "expires", "nonce", "keyid", "tag"];
        let mut bad: Vec<(String, Vec<String>)> = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let mut fewer = all.to_vec();
            fewer.remove(at);
            bad.push((format!("{name}-missing"), fewer));
            let mut swapped = all.to_vec();
            swapped[at] = name.to_uppercase() + &all[at][name.len()..];
            bad.push((format!("{name}-in-upper-case"), swapped));
            let mut bare = all.to_vec();
            bare[at] = (*name).to_owned();
            bad.push((format!("{name}-true"), bare));
        }
        for (at, id, text) in [
            (0, "created-decimal", format!("created={now}.0")),
            (0, "created-text", format!("created=\"{now}\"")),
            (0, "created-date", format!("created=@{now}")),
            (0, "created-negative", "created=-1".to_owned()),
            (0, "created-token", "created=now".to_owned()),
            (0, "created-bytes", "created=:AA==:".to_owned()),
            (1, "expires-decimal", format!("expires={end}.0")),
            (1, "expires-text", format!("expires=\"{end}\"")),
            (1, "expires-date", format!("expires=@{end}")),
            (1, "expires-negative", format!("expires=-{end}")),
            (2, "nonce-token", "nonce=NONCE".to_owned()),
            (2, "nonce-bytes", "nonce=:AAAAAAAAAAAAAAAAAAAAAA==:".to_owned()),
            (2, "nonce-number", "nonce=123456789012345".to_owned()),
            (2, "nonce-empty", "nonce=\"\"".to_owned()),
            (2, "nonce-of-8", "nonce=\"01234567\"".to_owned()),
            (2, "nonce-of-15", "nonce=\"0123456789abcde\"".to_owned()),
            (2, "nonce-of-65", format!("nonce=\"{}\"", "n".repeat(65))),
            (2, "nonce-of-128", format!("nonce=\"{}\"", "n".repeat(128))),
            (2, "nonce-of-129", format!("nonce=\"{}\"", "n".repeat(129))),
            (3, "keyid-token", format!("keyid=k{kid}")),
            (3, "keyid-bytes", format!("keyid=:{}:", BASE64.encode(kid.as_bytes()))),
            (3, "keyid-empty", "keyid=\"\"".to_owned()),
            (3, "keyid-lower-case", format!("keyid=\"{}\"", kid.to_lowercase())),
            (3, "keyid-of-another", format!("keyid=\"{}\"", self.keys.kid("second"))),
            (3, "keyid-of-nobody", "keyid=\"0TEST00ABCDEFGHJKMNP\"".to_owned()),
            (3, "keyid-the-key", format!("keyid=\"{}\"", self.keys.text("only"))),
            (4, "tag-token", "tag=portcullis".to_owned()),
            (4, "tag-other", "tag=\"other\"".to_owned()),
            (4, "tag-empty", "tag=\"\"".to_owned()),
            (4, "tag-title-case", "tag=\"Portcullis\"".to_owned()),
        ] {
            let mut changed = all.to_vec();
            changed[at] = text;
            bad.push((id.to_owned(), changed));
        }
        // THREATS T08.
        for (id, text) in [
            ("alg", "alg=\"hmac-sha256\""),
            ("alg-rsa-1", "alg=\"rsa-v1_5-sha256\""),
            ("alg-rsa", "alg=\"rsa-pss-sha512\""),
            ("alg-ecdsa", "alg=\"ecdsa-p256-sha256\""),
            ("alg-ed25519", "alg=\"ed25519\""),
            ("alg-none", "alg=\"none\""),
            ("alg-empty", "alg=\"\""),
            ("unknown-parameter", "x=1"),
            ("unknown-flag", "x"),
        ] {
            bad.push((format!("and-{id}"), [all.to_vec(), owned(&[text])].concat()));
        }
        for (id, parameters) in bad {
            let own = self.nonce(&id, 22);
            let parameters = parameters.join(";").replace("NONCE", &own);
            self.put(
                &format!("parameter-{id}"),
                "INVALID_SIGNATURE",
                |draft| draft.parameters = Some(parameters),
                |_| (),
            );
        }
    }

    fn v2_times(&mut self) {
        for (created, expires, expect) in [
            (-300, 60, "allow"),
            (-299, 1000, "allow"),
            (-100, 2, "allow"),
            (0, 300, "allow"),
            (0, 100_000, "allow"),
            (59, 120, "allow"),
            (60, 120, "allow"),
            (-301, 60, "STALE_TIMESTAMP"),
            (-302, 60, "STALE_TIMESTAMP"),
            (-3600, 60, "STALE_TIMESTAMP"),
            (-86_400, 86_400, "STALE_TIMESTAMP"),
            (61, 120, "STALE_TIMESTAMP"),
            (62, 120, "STALE_TIMESTAMP"),
            (3600, 7200, "STALE_TIMESTAMP"),
            (-100, 0, "STALE_TIMESTAMP"),
            (-100, -1, "STALE_TIMESTAMP"),
            (-100, -99, "STALE_TIMESTAMP"),
            (-100, -100, "STALE_TIMESTAMP"),
            (0, 0, "STALE_TIMESTAMP"),
            (0, -1, "STALE_TIMESTAMP"),
            (-100, 1, "allow"),
        ] {
            let [made, end] = [created, expires].map(|offset| self.seconds(offset));
            self.put(
                &format!("created{created:+}-expires{expires:+}"),
                expect,
                |draft| (draft.created, draft.expires) = (made, end),
                |_| (),
            );
            if matches!((created, expires), (-300 | 61, _) | (_, 1)) {
                self.exact();
            }
        }
        for (id, made) in [
            ("zero", 0),
            ("small", 1),
            ("milliseconds", self.now * 1000),
            ("largest", 999_999_999_999_999),
        ] {
            self.put(
                &format!("created-{id}"),
                "STALE_TIMESTAMP",
                |draft| draft.created = made,
                |_| (),
            );
        }
        self.put("expires-zero", "STALE_TIMESTAMP", |draft| draft.expires = 0, |_| ());
        self.put("expires-largest", "allow", |draft| draft.expires = 999_999_999_999_999, |_| ());
    }

    /// The two headers as structured fields.
    fn v2_fields(&mut self) {
        for (id, change) in FIELDS {
            self.put(&format!("field-{id}"), "INVALID_SIGNATURE", |_| (), change);
        }
        for (id, name, expect) in [
            ("input-missing", "Signature-Input", "MISSING_API_KEY"),
            ("signature-missing", "Signature", "INVALID_SIGNATURE"),
        ] {
            self.put(id, expect, |_| (), |request| request.remove(name));
        }
        // One spelling is accepted; what stands around a field is none of it.
        for (id, change) in RESPELT {
            let verdict = if *id == "space-around" { "allow" } else { "INVALID_SIGNATURE" };
            self.put(&format!("respelt-{id}"), verdict, |_| (), change);
        }
    }

    fn v2_changed(&mut self) {
        for (signed, sent) in [
            ("POST", "PUT"),
            ("POST", "PATCH"),
            ("POST", "DELETE"),
            ("PUT", "POST"),
            ("GET", "HEAD"),
            ("GET", "DELETE"),
            ("DELETE", "GET"),
        ] {
            let id = format!("method-{}-as-{}", signed.to_lowercase(), sent.to_lowercase());
            self.put(
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
            ("plus", "?a=1&b=2", "?a=1&b=+2"),
            ("path-segment", "/near/v2/", "/near/v2/x/"),
            ("path-case", "/near/v2/", "/near/V2/"),
            ("path-other-route", "/near/", "/far/"),
        ] {
            self.put(
                &format!("target-{id}"),
                "INVALID_SIGNATURE",
                |_| (),
                |request| request.target = request.target.replacen(from, to, 1),
            );
        }
        for (id, host) in
            [("other", "localhost"), ("address", "127.0.0.1"), ("port", "api.test:8080")]
        {
            self.put(
                &format!("host-as-{id}"),
                "INVALID_SIGNATURE",
                |_| (),
                |request| request.host = host.to_owned(),
            );
        }
        self.put(
            "https-as-http",
            "INVALID_SIGNATURE",
            |draft| {
                (draft.scheme, draft.host) = ("https", "api.test:443".to_owned());
            },
            |request| request.scheme = "http",
        );
        for (id, media) in [
            ("other", "text/plain"),
            ("case", "Application/json"),
            ("parameter", "application/json; charset=utf-8"),
        ] {
            self.put(
                &format!("type-as-{id}"),
                "INVALID_SIGNATURE",
                |_| (),
                |request| request.set("Content-Type", media),
            );
        }
        self.put(
            "type-removed",
            "INVALID_SIGNATURE",
            |_| (),
            |request| request.remove("Content-Type"),
        );
        self.put(
            "type-added",
            "INVALID_SIGNATURE",
            |draft| draft.content_type = None,
            |request| request.add("Content-Type", "text/plain"),
        );
        self.put(
            "type-twice",
            "INVALID_SIGNATURE",
            |_| (),
            |request| request.add("Content-Type", "application/json"),
        );
        for (id, edit) in EDITS {
            self.put(
                &format!("input-{id}"),
                "INVALID_SIGNATURE",
                |_| (),
                |request| request.edit("Signature-Input", edit),
            );
        }
        for (id, base) in BASES {
            self.put(
                &format!("base-{id}"),
                "INVALID_SIGNATURE",
                |draft| draft.base = *base,
                |_| (),
            );
        }
    }

    /// THREATS T05.
    fn v2_digests(&mut self) {
        for (name, body) in bodies() {
            self.put(
                &format!("body-{name}-and-a-byte"),
                "DIGEST_MISMATCH",
                |draft| draft.body = Some(body),
                |request| {
                    request.body.iter_mut().for_each(|body| body.push(b'\n'));
                },
            );
        }
        for (id, signed, sent) in [
            ("byte", "{\"a\":1}", "{\"a\":2}"),
            ("crlf-for-lf", "a\nb\n", "a\r\nb\r\n"),
            ("written-anew", "{\"a\":1,\"b\":2}", "{\"a\": 1, \"b\": 2}"),
            ("mark", "{}", "\u{feff}{}"),
        ] {
            self.put(
                &format!("body-{id}"),
                "DIGEST_MISMATCH",
                |draft| draft.body = Some(signed.as_bytes().to_vec()),
                |request| request.body = Some(sent.as_bytes().to_vec()),
            );
        }
        self.put("body-removed", "INVALID_SIGNATURE", |_| (), |request| request.body = None);
        self.put(
            "body-added",
            "INVALID_SIGNATURE",
            |draft| draft.body = None,
            |request| request.body = Some(b"{}".to_vec()),
        );
        self.put(
            "body-and-digest-added",
            "INVALID_SIGNATURE",
            |draft| draft.body = None,
            |request| {
                request.body = Some(b"{}".to_vec());
                request.add("Content-Digest", &content_digest(b"{}"));
            },
        );
        self.put(
            "digest-and-body-changed",
            "INVALID_SIGNATURE",
            |_| (),
            |request| {
                request.body = Some(b"{}".to_vec());
                request.set("Content-Digest", &content_digest(b"{}"));
            },
        );
        self.put(
            "digest-changed",
            "INVALID_SIGNATURE",
            |_| (),
            |request| request.set("Content-Digest", &content_digest(b"{}")),
        );
        self.put(
            "digest-removed",
            "INVALID_SIGNATURE",
            |_| (),
            |request| request.remove("Content-Digest"),
        );
        self.put(
            "digest-twice",
            "INVALID_SIGNATURE",
            |_| (),
            |request| {
                let own = request.header("Content-Digest");
                request.add("Content-Digest", &own);
            },
        );
        // Signed as it is.
        let body = br#"{"name":"x"}"#;
        let own = content_digest(body);
        let wide =
            format!("sha-512=:{}:", BASE64.encode(digest::digest(&digest::SHA512, body).as_ref()));
        for (id, text, expect) in [
            ("and-sha-512", format!("{own}, {wide}"), "allow"),
            ("sha-512-first", format!("{wide}, {own}"), "allow"),
            ("and-another", format!("{own}, md5=:AA==:"), "allow"),
            ("with-parameter", format!("{own};x=1"), "allow"),
            ("last-of-two", format!("{}, {own}", content_digest(b"other")), "DIGEST_MISMATCH"),
            ("first-of-two", format!("{own}, {}", content_digest(b"other")), "DIGEST_MISMATCH"),
            ("sha-512-alone", wide.clone(), "DIGEST_MISMATCH"),
            ("sha-256-under-sha-512", own.replace("256", "512"), "DIGEST_MISMATCH"),
            ("md5", "md5=:AAAAAAAAAAAAAAAAAAAAAA==:".to_owned(), "DIGEST_MISMATCH"),
            (
                "of-digest-header",
                own.replace("sha-256=:", "SHA-256=").replace("=:", "="),
                "DIGEST_MISMATCH",
            ),
            ("upper-case-name", own.replace("sha", "SHA"), "DIGEST_MISMATCH"),
            ("hex", format!("sha-256={}", super::hex(&sha256(body))), "DIGEST_MISMATCH"),
            ("text", format!("sha-256=\"{}\"", BASE64.encode(&sha256(body))), "DIGEST_MISMATCH"),
            ("short", "sha-256=:AAAA:".to_owned(), "DIGEST_MISMATCH"),
            (
                "long",
                format!("sha-256=:{}:", BASE64.encode(&[sha256(body), vec![0]].concat())),
                "DIGEST_MISMATCH",
            ),
            ("list", own.replace("=:", "=(:") + ")", "DIGEST_MISMATCH"),
            ("wrong", content_digest(b"other"), "DIGEST_MISMATCH"),
            ("of-nothing", content_digest(b""), "DIGEST_MISMATCH"),
            ("no-field", "x=:".to_owned(), "DIGEST_MISMATCH"),
        ] {
            self.put(
                &format!("digest-{id}"),
                expect,
                |draft| (draft.digest, draft.body) = (Some(text), Some(body.to_vec())),
                |_| (),
            );
        }
    }

    fn v2_secrets(&mut self) {
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
            self.put(
                &format!("secret-{id}"),
                expect,
                |draft| (draft.key, draft.secret) = (key, secret),
                |_| (),
            );
            if key == "edges" {
                self.native_only("the record is about one second");
            }
        }
        let (key, kid) = (self.keys.text("only"), self.keys.kid("only"));
        let second = self.keys.secret("second", 0);
        for (id, secret) in
            [("the-key", key), ("the-kid", kid), ("empty", String::new()), ("of-second", second)]
        {
            self.put(
                &format!("secret-{id}"),
                "INVALID_SIGNATURE",
                |draft| draft.secret = secret,
                |_| (),
            );
        }
        self.put(
            "secret-and-a-line-feed",
            "INVALID_SIGNATURE",
            |draft| draft.secret.push('\n'),
            |_| (),
        );
    }

    fn v2_credentials(&mut self) {
        let keys = self.keys;
        for name in ["required", "optional"] {
            for method in ["GET", "POST"] {
                let by = self.v2_by(name);
                self.put(
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
            let by = self.v2_by(name);
            self.put(
                &format!("{name}-body-changed"),
                "DIGEST_MISMATCH",
                |draft| {
                    by(draft);
                    draft.bearer = true;
                },
                |request| request.body = Some(b"{}".to_vec()),
            );
            self.put(&format!("{name}-by-keyid"), "INVALID_SIGNATURE", &by, |_| ());
            self.put(
                &format!("{name}-without-input"),
                "INVALID_SIGNATURE",
                |draft| {
                    by(draft);
                    draft.bearer = true;
                },
                |request| request.remove("Signature-Input"),
            );
            let kid = keys.kid("only");
            self.put(
                &format!("{name}-keyid-of-another"),
                "INVALID_SIGNATURE",
                |draft| {
                    by(draft);
                    draft.bearer = true;
                    draft.parameters = Some(format!(
                        "created={};expires={};nonce=\"{}\";keyid=\"{kid}\";tag=\"portcullis\"",
                        draft.created, draft.expires, draft.nonce
                    ));
                },
                |_| (),
            );
            let expect = if name == "required" { "SIGNATURE_REQUIRED" } else { "allow" };
            self.put(
                &format!("{name}-unsigned"),
                expect,
                |draft| {
                    by(draft);
                    draft.bearer = true;
                },
                |request| {
                    request.remove("Signature");
                    request.remove("Signature-Input");
                },
            );
        }
        let by = self.v2_by("none");
        self.put(
            "none-signed",
            "allow",
            |draft| {
                by(draft);
                draft.bearer = true;
            },
            |_| (),
        );
        self.put("none-by-keyid", "INVALID_SIGNATURE", &by, |_| ());
        self.put("only-as-bearer", "SIGNATURE_REQUIRED", |draft| draft.bearer = true, |_| ());
        let (kid, second) = (keys.kid("only"), keys.kid("second"));
        self.put("key-id-beside", "allow", |_| (), |request| request.add("X-Key-Id", &kid));
        self.put(
            "key-id-of-another-beside",
            "INVALID_SIGNATURE",
            |_| (),
            |request| request.add("X-Key-Id", &second),
        );
        // THREATS T10.
        let now = self.now;
        self.put(
            "headers-of-version-1",
            "INVALID_SIGNATURE",
            |_| (),
            |request| {
                request.remove("Signature");
                request.remove("Signature-Input");
                request.add("X-Key-Id", &kid);
                version_1(request, now);
            },
        );
        self.put(
            "headers-of-both-versions",
            "AMBIGUOUS_CREDENTIALS",
            |_| (),
            |request| version_1(request, now),
        );
    }

    fn v2_records(&mut self) {
        for (name, expect) in [
            ("revoked", "REVOKED_API_KEY"),
            ("disabled", "DISABLED_API_KEY"),
            ("expired", "EXPIRED_API_KEY"),
            ("unscoped", "PERMISSION_DENIED"),
        ] {
            let by = self.v2_by(name);
            self.put(name, expect, &by, |_| ());
            self.put(&format!("{name}-bad-mac"), "INVALID_SIGNATURE", &by, |request| {
                request.method = "PUT".to_owned()
            });
        }
        for name in ["unsecret", "unsigned", "other_version"] {
            self.put(&format!("record-{name}"), "INVALID_SIGNATURE", self.v2_by(name), |_| ());
        }
    }
}

/// The body; an empty one is none.
fn body(draft: &Draft) -> Option<&[u8]> {
    draft.body.as_deref().filter(|body| !body.is_empty())
}

/// The components that the profile says.
fn profile(draft: &Draft) -> Vec<String> {
    let mut components = owned(&["\"@method\"", "\"@authority\"", "\"@path\"", "\"@query\""]);
    if body(draft).is_some() {
        components.push("\"content-digest\"".to_owned());
    }
    if draft.content_type.is_some() {
        components.push("\"content-type\"".to_owned());
    }
    components
}

/// The signature base (RFC 9421 §2.5).
fn base(request: &Request, components: &[String], params: &str) -> String {
    let mut base = String::new();
    for component in components {
        let name = component.split('"').nth(1).unwrap_or(component);
        base.push_str(&format!("{component}: {}\n", value(request, name)));
    }
    format!("{base}\"@signature-params\": {params}")
}

fn value(request: &Request, name: &str) -> String {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let port = if request.scheme == "https" { ":443" } else { ":80" };
    match name {
        "@method" => request.method.clone(),
        "@authority" => {
            let host = request.host.to_lowercase();
            host.strip_suffix(port).unwrap_or(&host).to_owned()
        }
        "@path" => path.to_owned(),
        "@query" => format!("?{query}"),
        "@scheme" => request.scheme.to_owned(),
        "@request-target" => request.target.clone(),
        "@target-uri" => format!("{}://{}{}", request.scheme, request.host, request.target),
        _ => request.header(name).trim_matches([' ', '\t']).to_owned(),
    }
}

fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", BASE64.encode(&sha256(body)))
}

fn version_1(request: &mut Request, now: u64) {
    request.add("X-Timestamp", &now.to_string());
    request.add("X-Signature", &"0".repeat(64));
}

type Change = fn(&mut Request);

/// No field of the profile's form.
const FIELDS: &[(&str, Change)] = &[
    ("input-of-two", |request| {
        request.edit("Signature-Input", |own| format!("{own}, {}", own.replacen("sig", "other", 1)))
    }),
    ("signature-of-two", |request| {
        request.edit("Signature", |own| format!("{own}, {}", own.replacen("sig", "other", 1)))
    }),
    ("both-of-two", |request| {
        for name in ["Signature-Input", "Signature"] {
            request.edit(name, |own| format!("{own}, {}", own.replacen("sig", "other", 1)));
        }
    }),
    ("input-twice", |request| {
        let own = request.header("Signature-Input").replacen("sig", "two", 1);
        request.add("Signature-Input", &own);
    }),
    ("signature-twice", |request| {
        let own = request.header("Signature").replacen("sig", "two", 1);
        request.add("Signature", &own);
    }),
    ("other-label", |request| request.edit("Signature", |own| own.replacen("sig", "other", 1))),
    ("label-upper-case", |request| request.edit("Signature", |own| own.replacen("sig", "Sig", 1))),
    ("no-label", |request| request.edit("Signature", |own| own.replacen("sig=", "", 1))),
    ("input-no-label", |request| {
        request.edit("Signature-Input", |own| own.replacen("sig=", "", 1))
    }),
    ("signature-parameter", |request| request.edit("Signature", |own| format!("{own};x=1"))),
    ("signature-text", |request| request.edit("Signature", |own| own.replace(':', "\""))),
    ("signature-hex", |request| request.set("Signature", &format!("sig={}", "0a".repeat(32)))),
    ("signature-list", |request| {
        request.edit("Signature", |own| own.replacen("=:", "=(:", 1) + ")")
    }),
    ("signature-empty", |request| request.set("Signature", "sig=::")),
    ("signature-31-bytes", |request| {
        request.set("Signature", &format!("sig=:{}:", BASE64.encode(&[0; 31])))
    }),
    ("signature-33-bytes", |request| {
        request.set("Signature", &format!("sig=:{}:", BASE64.encode(&[0; 33])))
    }),
    ("signature-64-bytes", |request| {
        request.set("Signature", &format!("sig=:{}:", BASE64.encode(&[0; 64])))
    }),
    ("signature-zeros", |request| {
        request.set("Signature", &format!("sig=:{}:", BASE64.encode(&[0; 32])))
    }),
    ("signature-first-digit", |request| {
        request.edit("Signature", |own| {
            let other = if own.starts_with("sig=:A") { "B" } else { "A" };
            format!("sig=:{other}{}", &own[6..])
        })
    }),
    ("signature-base64url", |request| {
        request.edit("Signature", |own| {
            own.replace('+', "-").replace('/', "_").replacen("=:", "=:-", 1)
        })
    }),
    ("signature-unended", |request| {
        request.edit("Signature", |own| own[..own.len() - 1].to_owned())
    }),
    ("signature-no-field", |request| request.set("Signature", "?")),
    ("input-no-field", |request| request.set("Signature-Input", "?")),
    ("input-no-list", |request| {
        request.edit("Signature-Input", |own| own.replacen('(', "", 1).replacen(')', "", 1))
    }),
    ("input-unended", |request| request.edit("Signature-Input", |own| own.replacen(')', "", 1))),
    ("input-item", |request| request.set("Signature-Input", "sig=\"x\"")),
    ("input-comma-at-the-end", |request| request.edit("Signature-Input", |own| format!("{own},"))),
    ("input-tail", |request| request.edit("Signature-Input", |own| format!("{own} x"))),
];

/// Another spelling of the same.
const RESPELT: &[(&str, Change)] = &[
    ("space-in-list", |request| {
        request.edit("Signature-Input", |own| own.replacen("\" \"", "\"   \"", 1))
    }),
    ("space-inside-brackets", |request| {
        request.edit("Signature-Input", |own| own.replacen('(', "(  ", 1).replacen(')', " )", 1))
    }),
    ("space-before-parameter", |request| {
        request.edit("Signature-Input", |own| own.replacen(";tag", ";  tag", 1))
    }),
    ("parameter-twice", |request| {
        request.edit("Signature-Input", |own| own.replacen(";created=", ";created=1;created=", 1))
    }),
    ("space-around", |request| request.edit("Signature", |own| format!("  {own} "))),
];

type Edit = fn(&str) -> String;

/// Of the form, and other than was signed.
const EDITS: &[(&str, Edit)] = &[
    ("created-earlier", |own| less_after(own, ";created=")),
    ("expires-earlier", |own| less_after(own, ";expires=")),
    ("nonce-case", |own| swap_case_after(own, "nonce=\"")),
    ("expires-later", |own| own.replacen(";nonce", "0;nonce", 1)),
    ("order", |own| {
        own.replacen(";tag=\"portcullis\"", "", 1).replacen(");", ");tag=\"portcullis\";", 1)
    }),
    ("type-not-covered", |own| own.replacen(" \"content-type\"", "", 1)),
    ("digest-not-covered", |own| own.replacen(" \"content-digest\"", "", 1)),
];

/// The number after `mark` less one.
fn less_after(text: &str, mark: &str) -> String {
    let Some((before, after)) = text.split_once(mark) else { return text.to_owned() };
    let (number, rest) = after.split_once(';').unwrap_or((after, ""));
    let less = number.parse::<u64>().unwrap_or_default().saturating_sub(1);
    format!("{before}{mark}{less};{rest}")
}

fn swap_case_after(text: &str, mark: &str) -> String {
    let Some((before, after)) = text.split_once(mark) else { return text.to_owned() };
    let swap = |c: char| {
        if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
    };
    let (nonce, rest) = after.split_once('"').unwrap_or((after, ""));
    format!("{before}{mark}{}\"{rest}", nonce.chars().map(swap).collect::<String>())
}

/// The base is put together otherwise.
const BASES: &[(&str, Edit)] = &[
    ("empty", |_| String::new()),
    ("crlf", |own| own.replace('\n', "\r\n")),
    ("line-feed-at-the-end", |own| format!("{own}\n")),
    ("without-names", |own| {
        own.lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
            .join("\n")
    }),
    ("without-quotes", |own| own.replace('"', "")),
    ("without-spaces", |own| own.replace("\": ", "\":")),
    ("without-parameters", |own| own.rsplit_once('\n').map_or("", |(before, _)| before).to_owned()),
    ("parameters-first", |own| {
        own.rsplit_once('\n').map(|(before, last)| format!("{last}\n{before}")).unwrap_or_default()
    }),
    ("lower-case-method", |own| own.replacen("POST", "post", 1)),
    ("upper-case-authority", |own| own.replacen("api.test", "API.TEST", 1)),
    ("authority-with-port", |own| own.replacen("api.test", "api.test:80", 1)),
    ("query-without-mark", |own| own.replacen("\"@query\": ?", "\"@query\": ", 1)),
    ("path-with-query", |own| own.replacen("\n\"@query\"", "?a=1&b=2\n\"@query\"", 1)),
    ("labelled-parameters", |own| own.replacen("params\": (", "params\": sig=(", 1)),
    ("title-case-names", |own| own.replacen("content-digest\":", "Content-Digest\":", 1)),
];

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
