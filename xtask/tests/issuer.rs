//! The development issuer over HTTP: discovery, sign-in with a code and PKCE, tokens that verify.
#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;

use xtask::http::{Reply, exchange};
use xtask::issuer::{ISSUER, Issuer};

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn start(name: &str) -> (Issuer, PathBuf) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    (Issuer::start(0, &folder).unwrap(), folder)
}

fn ask(issuer: &Issuer, host: &str, method: &str, target: &str, body: &str) -> Reply {
    let text = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(issuer.address, text.as_bytes(), Duration::from_secs(10)).unwrap()
}

fn get(issuer: &Issuer, target: &str) -> Reply {
    ask(issuer, "127.0.0.1", "GET", target, "")
}

/// Header and claims, of a token that the issuer's published key verifies.
fn verified(issuer: &Issuer, token: &str) -> [Value; 2] {
    let keys = get(issuer, "/jwks.json").json().unwrap();
    let jwk = &keys["keys"][0];
    let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    let coordinate = |name: &str| decode(jwk[name].as_str().unwrap());
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(signed.as_bytes(), &decode(signature))
        .unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let [header, claims]: [Value; 2] =
        [header, claims].map(|part| serde_json::from_slice(&decode(part)).unwrap());
    assert_eq!(header["kid"], jwk["kid"]);
    [header, claims]
}

#[test]
fn a_dashboard_signs_in() {
    let (issuer, _) = start("issuer-code");
    let discovery = get(&issuer, "/.well-known/openid-configuration").json().unwrap();
    assert_eq!(discovery["issuer"], ISSUER);
    assert_eq!(discovery["authorization_endpoint"], format!("{}/authorize", issuer.url()));
    let redirect = "http%3A%2F%2Fportcullis.localhost%3A8787%2Fcallback";
    let request = format!(
        "/authorize?response_type=code&client_id=dashboard&redirect_uri={redirect}&state=s1&nonce=n1\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    let page = get(&issuer, &request);
    assert_eq!(page.status, 200);
    for subject in ["owner", "admin", "member", "stranger", "foreign_admin"] {
        assert!(page.text().contains(&format!("value=\"{subject}\"")), "{}", page.text());
    }
    let answer = get(&issuer, &format!("{request}&subject=admin"));
    assert_eq!(answer.status, 302);
    let location = answer.header("location").unwrap();
    let query = location.strip_prefix("http://portcullis.localhost:8787/callback?code=").unwrap();
    let (code, rest) = query.split_once('&').unwrap();
    assert!(rest.starts_with("state=s1&"), "{location}");
    let form = format!(
        "grant_type=authorization_code&client_id=dashboard&redirect_uri={redirect}&code={code}&code_verifier="
    );
    let wrong = ask(&issuer, "127.0.0.1", "POST", "/token", &format!("{form}{CHALLENGE}"));
    assert_eq!((wrong.status, &wrong.json().unwrap()["error"]), (400, &"invalid_grant".into()));
    let again = ask(&issuer, "127.0.0.1", "POST", "/token", &format!("{form}{VERIFIER}"));
    assert_eq!(again.status, 400, "a code that was tried is used up");

    let answer = get(&issuer, &format!("{request}&subject=admin"));
    let query = answer.header("location").unwrap().split_once("code=").unwrap().1;
    let (code, _) = query.split_once('&').unwrap();
    let form = format!(
        "grant_type=authorization_code&client_id=dashboard&redirect_uri={redirect}&code={code}&code_verifier={VERIFIER}"
    );
    let tokens = ask(&issuer, "127.0.0.1", "POST", "/token", &form);
    assert_eq!(tokens.status, 200, "{}", tokens.text());
    assert_eq!(tokens.header("cache-control"), Some("no-store"));
    let tokens = tokens.json().unwrap();
    let [header, claims] = verified(&issuer, tokens["access_token"].as_str().unwrap());
    assert_eq!((&header["typ"], &header["alg"]), (&"at+jwt".into(), &"ES256".into()));
    assert_eq!((&claims["sub"], &claims["aud"]), (&"admin".into(), &"portcullis".into()));
    assert_eq!((&claims["iss"], &claims["scope"]), (&ISSUER.into(), &"*:*".into()));
    let [header, claims] = verified(&issuer, tokens["id_token"].as_str().unwrap());
    assert_eq!((&header["typ"], &claims["aud"]), (&"JWT".into(), &"dashboard".into()));
    assert_eq!(claims["nonce"], "n1");
}

#[test]
fn it_answers_this_machine_and_keeps_its_key() {
    let (issuer, folder) = start("issuer-key");
    for (host, status) in [
        ("127.0.0.1", 200),
        ("127.0.0.1:8788", 200),
        ("portcullis.localhost:1", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
    ] {
        assert_eq!(ask(&issuer, host, "GET", "/jwks.json", "").status, status, "{host}");
    }
    let elsewhere = get(&issuer, "/authorize?redirect_uri=https://evil.example/&subject=owner");
    assert_eq!((elsewhere.status, elsewhere.header("location")), (400, None));
    assert_eq!(get(&issuer, "/nothing").status, 404);
    let token = issuer.token("owner").unwrap();
    drop(issuer);
    let mode = fs::metadata(folder.join("issuer.pk8")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let issuer = Issuer::start(0, &folder).unwrap();
    let [_, claims] = verified(&issuer, &token);
    assert_eq!(claims["sub"], "owner");
    let lasts = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lasts, 12 * 3600);
    assert_eq!(issuer.tokens().unwrap().len(), 5);
}
