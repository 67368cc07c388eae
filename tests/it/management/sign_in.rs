//! Signing in to the dashboard, what its cookie is good for, and out of it.

use portcullis::clock::Now;
use portcullis::management::exchange::Object;
use portcullis::policy::TokenKind;
use portcullis::session::Session;
use portcullis::token::{Authenticated, Subject};
use serde_json::{Value, json};

use super::desk;
use super::world::{Reply, Sent, World, get, with};

const DISCOVERY: &str = "http://127.0.0.1:8788/.well-known/openid-configuration";
const TOKEN: &str = "http://127.0.0.1:8788/token";
const SESSION: &str = "__Host-portcullis=";
const SIGN_IN: &str = "__Host-portcullis-sign-in=";

/// What holds a page in, word for word: whatever loosens it has to be written here too.
const GUARD: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

fn signing_in() -> World {
    let mut world = World::new();
    let document = json!({
        "issuer": "http://127.0.0.1:8788", "authorization_endpoint": "http://127.0.0.1:8788/authorize?a=b",
        "token_endpoint": TOKEN,
    });
    world.issuer.insert(DISCOVERY.to_owned(), document.to_string());
    answer_with(&mut world, "root");
    world
}

/// The issuer gives a token that speaks for somebody.
fn answer_with(world: &mut World, who: &str) {
    let answer = json!({"access_token": who, "token_type": "Bearer"});
    world.issuer.insert(TOKEN.to_owned(), answer.to_string());
}

fn visit(world: &mut World, path: &str, headers: &[(&str, &str)]) -> Reply {
    world.send(&Sent { headers, ..get("", path) })
}

/// A cookie that an answer sets, as the browser sends it back.
fn set(reply: &Reply, name: &str) -> String {
    let cookies = reply.headers.get("set-cookie").map(String::as_str).unwrap_or_default();
    let own = cookies.lines().find(|line| line.starts_with(name));
    own.unwrap_or_else(|| panic!("no {name} in {cookies:?}")).split(';').next().unwrap().to_owned()
}

/// A parameter of where an answer leads.
fn param(reply: &Reply, name: &str) -> String {
    let (_, query) = reply.headers["location"].split_once('?').unwrap();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(own, _)| *own == name).unwrap_or_else(|| panic!("no {name}")).1.to_owned()
}

/// Signs somebody in; the session's cookie.
fn session(world: &mut World, who: &str) -> String {
    answer_with(world, who);
    let begun = visit(world, "/login", &[]);
    let (cookie, state) = (set(&begun, SIGN_IN), param(&begun, "state"));
    let path = format!("/callback?code=c&state={state}&iss=http%3A%2F%2F127.0.0.1%3A8788");
    let done = visit(world, &path, &[("cookie", &cookie)]);
    assert_eq!((done.status, done.headers["location"].as_str()), (303, "/"), "{}", done.text);
    set(&done, SESSION)
}

#[test]
fn a_browser_is_sent_to_the_issuer_and_comes_back_with_a_session() {
    let mut world = signing_in();
    let begun = visit(&mut world, "/login", &[("sec-fetch-dest", "document")]);
    assert_eq!(begun.status, 303);
    assert!(begun.headers["location"].starts_with("http://127.0.0.1:8788/authorize?a=b&"));
    assert_eq!(param(&begun, "redirect_uri"), "http%3A%2F%2Fadmin.test%2Fcallback");
    assert_eq!(param(&begun, "client_id"), "dashboard");
    assert_eq!(param(&begun, "scope"), "openid%20email");
    let cookie = &begun.headers["set-cookie"];
    assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"), "{cookie}");
    let path = format!("/callback?code=a%2Fb+c&state={}", param(&begun, "state"));
    let done = visit(&mut world, &path, &[("cookie", &set(&begun, SIGN_IN))]);
    assert_eq!((done.status, done.headers["cache-control"].as_str()), (303, "no-store"));
    let cookies = &done.headers["set-cookie"];
    assert!(cookies.contains("; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200\n"));
    assert!(cookies.ends_with("SameSite=Lax; Max-Age=0"), "the other is done with: {cookies}");
    assert!(!cookies.contains("root"), "the token stays here");
    // RFC 7636 §4.6: what was sent to begin with is the hash of what is sent now.
    let form = world.forms.pop().unwrap();
    assert!(form.starts_with("client_id=dashboard&redirect_uri=http%3A%2F%2Fadmin.test%2Fcallback&grant_type=authorization_code&code=a%2Fb%20c&"));
    let verifier = form.rsplit_once("code_verifier=").unwrap().1;
    let hash = portcullis::crypto::sha256(verifier.as_bytes());
    assert_eq!(param(&begun, "code_challenge"), data_encoding::BASE64URL_NOPAD.encode(&hash));
    assert!(!cookie.contains(verifier));
    assert_eq!(world.fetched, [DISCOVERY, TOKEN], "the issuer's document is remembered");
}

#[test]
fn the_cookie_speaks_for_its_owner_from_pages_of_this_host_alone() {
    let mut world = signing_in();
    let cookie = session(&mut world, "root");
    let me = visit(&mut world, "/api/v1/me", &[("cookie", &cookie)]);
    assert_eq!((me.status, &me.body["subject"]), (200, &json!("dev:root")));
    assert_eq!(me.body["scopes"], json!(["*:*"]), "only what means something here");
    let own: &[(&str, &str)] =
        &[("origin", "http://admin.test"), ("sec-fetch-site", "same-origin")];
    let open = |world: &mut World, headers: &[(&str, &str)]| {
        let headers: Vec<_> =
            [("cookie", cookie.as_str())].into_iter().chain(headers.to_vec()).collect();
        world.send(&Sent {
            headers: &headers,
            ..with("POST", "", "/api/v1/workspaces", json!({"name": "x"}))
        })
    };
    assert_eq!(open(&mut world, own).status, 201);
    assert_eq!(open(&mut world, &own[..1]).status, 201, "a browser without Fetch Metadata");
    let evil: &[&[(&str, &str)]] = &[
        &[],
        &[("origin", "null")],
        &[("origin", "https://admin.test"), ("sec-fetch-site", "same-site")],
        &[("origin", "https://admin.test")],
        &[("origin", "http://admin.test"), ("sec-fetch-site", "same-site")],
        &[("origin", "http://admin.test"), ("sec-fetch-site", "none")],
        &[("origin", "http://admin.test:81")],
        &[("origin", "http://admin.test.evil.test")],
        &[("origin", "https://dash.example"), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "http://admin.test"), ("sec-fetch-site", "cross-site")],
    ];
    world.asked.clear();
    for headers in evil {
        let refused = open(&mut world, headers);
        assert_eq!((refused.status, refused.code()), (403, "CROSS_SITE"), "{headers:?}");
    }
    for site in ["cross-site", "same-site"] {
        let headers: &[(&str, &str)] = &[("cookie", &cookie), ("sec-fetch-site", site)];
        assert_eq!(visit(&mut world, "/api/v1/me", headers).code(), "CROSS_SITE", "read by {site}");
    }
    assert!(world.asked.is_empty(), "nobody was asked");
    // A credential of the request's own goes before it.
    let headers: &[(&str, &str)] = &[("cookie", &cookie)];
    let other = world.send(&Sent { headers, ..get("other", "/api/v1/me") });
    assert_eq!(other.body["subject"], json!("dev:other"));
}

#[test]
fn only_the_cookie_that_was_set_is_a_session() {
    let mut world = signing_in();
    let cookie = session(&mut world, "root");
    let begun = visit(&mut world, "/login", &[]);
    let value = cookie.split_once('=').unwrap().1.to_owned();
    let status = |world: &mut World, cookie: &str| {
        let reply = visit(world, "/api/v1/me", &[("cookie", cookie)]);
        (reply.status, reply.code().to_owned())
    };
    let over = (401, "INVALID_TOKEN".to_owned());
    for at in 0..value.len() {
        let mut other = value.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = format!("{SESSION}{}", String::from_utf8(other).unwrap());
        assert_eq!(status(&mut world, &other), over, "byte {at}");
    }
    let sign_in = set(&begun, SIGN_IN);
    let moved = format!("{SESSION}{}", sign_in.split_once('=').unwrap().1);
    for other in [moved, SESSION.to_owned(), format!("{SESSION}{}", &value[1..])] {
        assert_eq!(status(&mut world, &other), over, "{other}");
    }
    assert_eq!(status(&mut world, &format!("{cookie}; {cookie}")), over, "twice");
    assert_eq!(status(&mut world, &format!("a=b; {cookie}; c")), (200, String::new()));
    world.desk.millis += 12 * 3600 * 1000 - 1000;
    assert_eq!(status(&mut world, &cookie).0, 200, "a second before its end");
    world.desk.millis += 1000;
    assert_eq!(status(&mut world, &cookie), over);
}

/// Until its end, and only where people of its issuer sign in.
#[test]
fn a_cookie_says_what_the_token_said() {
    let gate = desk::gate(&desk::policy());
    let (issuer, rules) = gate.policy().issuers.iter().enumerate().next().unwrap();
    for credential in [TokenKind::Oauth, TokenKind::Session] {
        let scopes = vec!["keys:read".to_owned(), "keys:write".to_owned()];
        let subject =
            Subject { id: "one".to_owned(), scopes, email: None, workspace: None, until: 1000 };
        let member = format!("{}:one", rules.name);
        let caller = Authenticated { issuer, member, subject, credential };
        let own = Session { id: "cookie".to_owned(), caller };
        let read = |name: &str, millis| {
            Session::parse(&own.print(gate.keyring(), name), &gate, Now::from_millis(millis))
        };
        assert_eq!(read(rules.name.as_str(), 999_999), Some(own.clone()));
        assert_eq!(read(rules.name.as_str(), 1_000_000), None);
        assert_eq!(read("nobody", 0), None);
    }
}

#[test]
fn who_signs_out_is_out_with_every_copy_of_the_cookie() {
    let mut world = signing_in();
    let (one, two) = (session(&mut world, "root"), session(&mut world, "root"));
    let own =
        |cookie: &str| [("cookie", cookie.to_owned()), ("origin", "http://admin.test".to_owned())];
    let sign_out = |world: &mut World, headers: &[(&str, String)]| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.send(&Sent { headers: &headers, ..with("POST", "", "/logout", Value::Null) })
    };
    let refused = sign_out(&mut world, &own(&one)[..1]);
    assert_eq!((refused.status, refused.code()), (403, "CROSS_SITE"));
    assert_eq!(visit(&mut world, "/api/v1/me", &[("cookie", &one)]).status, 200);
    world.silent = vec![Object::Directory("dev:root".to_owned())];
    assert_eq!(sign_out(&mut world, &own(&one)).status, 503, "it is not ended, and not said to be");
    assert_eq!(visit(&mut world, "/api/v1/me", &[("cookie", &one)]).status, 503);
    world.silent.clear();
    let out = sign_out(&mut world, &own(&one));
    assert_eq!(out.status, 204);
    assert!(out.headers["set-cookie"].lines().all(|line| line.ends_with("Max-Age=0")));
    assert_eq!(visit(&mut world, "/api/v1/me", &[("cookie", &one)]).status, 401);
    assert_eq!(visit(&mut world, "/api/v1/me", &[("cookie", &two)]).status, 200, "another session");
    assert_eq!(sign_out(&mut world, &own("a=b")).status, 204, "who has none is out");
}

#[test]
fn what_was_not_begun_here_is_not_finished() {
    let mut world = signing_in();
    let begun = visit(&mut world, "/login", &[]);
    let (cookie, state) = (set(&begun, SIGN_IN), param(&begun, "state"));
    let other = set(&visit(&mut world, "/login", &[]), SIGN_IN);
    let good = format!("code=c&state={state}");
    let cases: &[(&str, String, &str, u16, &str)] = &[
        ("no cookie", good.clone(), "", 403, "CROSS_SITE"),
        ("another browser's", good.clone(), &other, 403, "CROSS_SITE"),
        ("no state", "code=c".to_owned(), &cookie, 403, "CROSS_SITE"),
        ("two states", format!("{good}&state={state}"), &cookie, 403, "CROSS_SITE"),
        (
            "another issuer",
            format!("{good}&iss=https%3A%2F%2Fevil.test"),
            &cookie,
            403,
            "CROSS_SITE",
        ),
        (
            "two issuers",
            format!("{good}&iss=http%3A%2F%2F127.0.0.1%3A8788&iss=https%3A%2F%2Fevil.test"),
            &cookie,
            403,
            "CROSS_SITE",
        ),
        ("refused and not", format!("{good}&error=a&error=b"), &cookie, 403, "PERMISSION_DENIED"),
        (
            "refused",
            format!("error=access_denied&state={state}"),
            &cookie,
            403,
            "PERMISSION_DENIED",
        ),
        ("no code", format!("state={state}"), &cookie, 400, "BAD_REQUEST"),
        ("two codes", format!("{good}&code=d"), &cookie, 400, "BAD_REQUEST"),
    ];
    world.fetched.clear();
    for (name, query, cookie, status, code) in cases {
        let headers: &[(&str, &str)] = if cookie.is_empty() { &[] } else { &[("cookie", *cookie)] };
        let refused = visit(&mut world, &format!("/callback?{query}"), headers);
        assert_eq!(refused.status, *status, "{name}");
        assert!(
            refused.text.contains(code) && !refused.headers.contains_key("set-cookie"),
            "{name}"
        );
        assert_eq!(refused.headers["content-type"], "text/html; charset=utf-8");
        for (name, value) in GUARD {
            assert_eq!(refused.headers[name], value, "{name}");
        }
    }
    assert!(world.fetched.is_empty(), "no code was redeemed");
    for path in ["/login".to_owned(), format!("/callback?{good}")] {
        for dest in ["iframe", "image", "empty"] {
            let headers: &[(&str, &str)] = &[("cookie", &cookie), ("sec-fetch-dest", dest)];
            assert_eq!(visit(&mut world, &path, headers).status, 403, "{path} as {dest}");
        }
    }
    world.desk.millis += 600_000;
    let late = visit(&mut world, &format!("/callback?{good}"), &[("cookie", &cookie)]);
    assert_eq!(late.status, 403, "ten minutes later");
}

#[test]
fn a_token_that_is_no_good_makes_no_session() {
    for (answer, status) in [
        (json!({"access_token": "bad"}), 401),
        (json!({"access_token": "unknowable"}), 503),
        (json!({"access_token": "foreign"}), 401),
        (json!({"error": "invalid_grant"}), 503),
    ] {
        let mut world = signing_in();
        let begun = visit(&mut world, "/login", &[]);
        world.issuer.insert(TOKEN.to_owned(), answer.to_string());
        let path = format!("/callback?code=c&state={}", param(&begun, "state"));
        let refused = visit(&mut world, &path, &[("cookie", &set(&begun, SIGN_IN))]);
        assert_eq!(refused.status, status, "{answer}");
        assert!(!refused.headers.contains_key("set-cookie"), "{answer}");
    }
    for document in [
        json!({"issuer": "https://evil.test", "authorization_endpoint": TOKEN, "token_endpoint": TOKEN}),
        json!({"issuer": "http://127.0.0.1:8788", "authorization_endpoint": "http://evil.test/", "token_endpoint": TOKEN}),
        json!({"issuer": "http://127.0.0.1:8788", "authorization_endpoint": "javascript:alert(1)", "token_endpoint": TOKEN}),
        json!({"issuer": "http://127.0.0.1:8788", "authorization_endpoint": TOKEN}),
        json!([]),
    ] {
        let mut world = signing_in();
        world.issuer.insert(DISCOVERY.to_owned(), document.to_string());
        assert_eq!(visit(&mut world, "/login", &[]).status, 503, "{document}");
    }
    let mut world = signing_in();
    world.issuer.clear();
    assert_eq!(visit(&mut world, "/login", &[]).status, 503, "an issuer that does not answer");
}

#[test]
fn the_dashboards_files_come_with_what_holds_them_in() {
    let mut world = signing_in();
    let page = visit(&mut world, "/", &[]);
    assert_eq!(
        (page.text.as_str(), page.headers["cache-control"].as_str()),
        ("index.html", "no-store")
    );
    for (name, value) in GUARD {
        assert_eq!(page.headers[name], value, "{name}");
    }
    let script = visit(&mut world, "/assets/index-Ab_1.js", &[]);
    assert_eq!(script.text, "assets/index-Ab_1.js");
    assert_eq!(script.headers["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(script.headers["content-security-policy"], GUARD[0].1);
    let wasm = visit(&mut world, "/assets/explain-0a.wasm", &[]);
    assert_eq!(wasm.headers["content-type"], "application/wasm");
    assert!(script.headers["cache-control"].ends_with("immutable"));
    for path in
        ["/assets/", "/assets/x", "/assets/a/b.js", "/index.html", "/assets/x.map", "/other"]
    {
        assert_eq!(visit(&mut world, path, &[]).status, 404, "{path}");
    }
    for (method, path, allow) in
        [("POST", "/", "GET, HEAD"), ("POST", "/login", "GET"), ("GET", "/logout", "POST")]
    {
        let refused = world.send(&with(method, "", path, Value::Null));
        assert_eq!((refused.status, refused.headers["allow"].as_str()), (405, allow), "{path}");
    }
}
