//! What the fuzzers begin with: texts of the vectors, of policies, and of calls.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use portcullis::management::schema::Kind;
use portcullis::management::table::ENDPOINTS;
use serde_json::{Value, json};

use crate::checkout::{Checkout, sha256};

/// Writes the seeds of a target.
pub(super) fn write(checkout: &Checkout, target: &str, folder: &Path) -> Result<()> {
    let seeds = seeds(checkout, target)?;
    ensure!(!seeds.is_empty(), "{target} has no seeds");
    for seed in seeds {
        // The first byte is a choice of the target's.
        for choice in [b'0', b'1'] {
            let bytes = [&[choice], seed.as_bytes()].concat();
            let path = folder.join(&sha256(&bytes)[..16]);
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

fn seeds(checkout: &Checkout, target: &str) -> Result<Vec<String>> {
    let read = |name: &str| -> Result<Value> {
        let path = checkout.path("tests/vectors").join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    };
    Ok(match target {
        "key" => {
            let world = read("world.json")?;
            let rows = world["kv"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
            texts(&world["keys"]).into_iter().chain(rows).collect()
        }
        "target" => texts_of(&read("target.json")?, "input"),
        "address" => {
            let file = read("address.json")?;
            let lists = file["contains"].as_array().into_iter().flatten().map(|case| {
                let address = case["address"].as_str().unwrap_or_default();
                format!("{address}\n{}", texts(&case["list"]).join(" "))
            });
            let hosts = texts_of(&read("host.json")?, "authority").into_iter();
            lists.chain(hosts.map(|host| format!("{host}\n{host}"))).collect()
        }
        "scope" => {
            let file = read("scope.json")?;
            let allow = file["allow"].as_array().into_iter().flatten();
            allow
                .map(|case| {
                    let grants = texts(&case["grants"]).join(" ");
                    format!(
                        "{grants}\n{grants} read\n{}",
                        case["scope"].as_str().unwrap_or_default()
                    )
                })
                .collect()
        }
        "request" | "decide" => facts(&read("decisions.json")?, &read("world.json")?),
        "signature" => {
            let file = read("signatures-v2.json")?;
            let cases = file["cases"].as_array().into_iter().flatten().step_by(5);
            cases.map(|case| headers(case, ["signature-input", "signature"])).collect()
        }
        "policy" => {
            let toml = fs::read_to_string(checkout.path("tests/policy/whole.toml"))?;
            vec![toml, read("world.json")?["policy"].to_string()]
        }
        "record" => {
            let world = read("world.json")?;
            let rows = texts(&world["kv"]).into_iter();
            rows.filter_map(|row| row.splitn(3, '.').nth(2).map(str::to_owned)).collect()
        }
        "call" => CALLS.iter().chain(ANSWERS).map(|text| (*text).to_owned()).collect(),
        "row" => {
            let kid = KID;
            let world = read("world.json")?;
            let sealed = world["kv"][format!("k1:{kid}")].as_str().unwrap_or_default();
            let document = sealed.splitn(3, '.').nth(2).unwrap_or_default();
            let rows = format!("meta\nschema=1 workspace=TEST00\nkey/{kid}\n0 {document}");
            let named = "\u{c}meta\nschema=1 workspace=TEST00\noutbox/a\tb\t1\n1";
            let calls = CALLS.iter().map(|call| format!("{call}\u{c}{rows}"));
            calls.chain([format!("due v=1{named}")]).collect()
        }
        "account" => vec![
            "1800000010000:1:1800000006000000000\n10 60 5 2 1000\n6000000000:1".to_owned(),
            "1:2\n1 1 1 1 1".to_owned(),
            "0:0:0\n1 1 1 1 1\n0:1".to_owned(),
        ],
        "token" => vec![
            format!("{HEADER}\n{CLAIMS}"),
            format!("{HEADER}\n{}", CLAIMS.replace("\"nbf\"", "\"n\":1e999,\"nbf\"")),
            read("world.json")?["policy"]["issuers"].to_string(),
        ],
        "body" => requests(),
        "session" => vec!["2.AAAA.AAAA".to_owned(), "id=x until=1".to_owned()],
        _ => Vec::new(),
    })
}

/// A request to each endpoint of the management API, all fields of its body there.
fn requests() -> Vec<String> {
    let requests = ENDPOINTS.iter().map(|endpoint| {
        let asked = endpoint.query.iter().map(|field| {
            format!("{}={}", field.name, example(&field.kind).to_string().trim_matches('"'))
        });
        let asked = asked.collect::<Vec<_>>().join("&");
        let body = endpoint.body.map(|object| example(&Kind::Object(object)).to_string());
        format!("{} {}?{asked}\n{}", endpoint.method, endpoint.path, body.unwrap_or_default())
    });
    let more = ["GET /v1/none\n", "2030-01-31T12:00:00.5+01:00", "{key} {key}\n{\"{key}\": 1}"];
    requests.chain(more.map(str::to_owned)).collect()
}

/// A value that is of a kind.
fn example(kind: &Kind) -> Value {
    match kind {
        Kind::Text(..) => json!("text"),
        Kind::Word(words) => json!(words.first()),
        Kind::Form(form) => json!(form.example),
        Kind::Number(least, _) => json!(least),
        Kind::Flag => json!(true),
        Kind::Time => json!("2030-01-31T12:00:00Z"),
        Kind::List(kind, _) => json!([example(kind)]),
        Kind::Map(form, kind, _) => json!({ form.example: example(kind) }),
        Kind::Object(object) => {
            object.fields.iter().map(|field| (field.name, example(&field.kind))).collect()
        }
        Kind::Optional(kind) => example(kind),
    }
}

/// All texts of a list or an object.
fn texts(of: &Value) -> Vec<String> {
    let own = |value: &Value| value.as_str().map(str::to_owned);
    let list = of.as_array().into_iter().flatten();
    list.chain(of.as_object().into_iter().flat_map(|own| own.values())).filter_map(own).collect()
}

fn texts_of(cases: &Value, name: &str) -> Vec<String> {
    let cases = cases.as_array().into_iter().flatten();
    cases.filter_map(|case| case[name].as_str().map(str::to_owned)).collect()
}

/// Requests as the core is given them.
fn facts(cases: &Value, world: &Value) -> Vec<String> {
    let keys = world["keys"].as_object();
    let fill = |text: &str| {
        let mut text = text.to_owned();
        for (name, key) in keys.into_iter().flatten() {
            let key = key.as_str().unwrap_or_default();
            text = text.replace(&format!("{{key {name}}}"), key);
            text = text.replace(&format!("{{kid {name}}}"), key.rsplit('_').nth(1).unwrap_or(key));
        }
        text
    };
    let cases = cases.as_array().into_iter().flatten();
    let facts = cases.map(|case| {
        if let Some(facts) = case["facts"].as_str() {
            return facts.to_owned();
        }
        let request = &case["request"];
        let own = |name: &str| request[name].as_str().unwrap_or_default();
        let (method, host, target) = (own("method"), own("host"), fill(own("target")));
        let mut facts = format!("{method}\nhttp://{host}{target}\nhost\n{host}");
        for pair in request["headers"].as_array().into_iter().flatten() {
            let part = |at: usize| pair[at].as_str().unwrap_or_default();
            facts.push_str(&format!("\n{}\n{}", part(0).to_lowercase(), fill(part(1)).trim()));
        }
        facts
    });
    facts.filter(|facts| facts.len() < 4096).collect()
}

fn headers(case: &Value, names: [&str; 2]) -> String {
    let headers = case["request"]["headers"].as_array();
    let value = |name: &str| {
        let own = headers
            .into_iter()
            .flatten()
            .find(|pair| pair[0].as_str().is_some_and(|own| own.eq_ignore_ascii_case(name)));
        own.and_then(|pair| pair[1].as_str()).unwrap_or_default()
    };
    format!("{}\n{}", value(names[0]), value(names[1]))
}

const KID: &str = "0TEST00AF0VVQT70MV32";
const HEADER: &str = r#"{"alg":"EdDSA","kid":"o","typ":"at+jwt"}"#;
const CLAIMS: &str = r#"{"iss":"https://issuer.test","sub":"user-1","aud":"api","exp":1800000300,"nbf":1799999990,"scope":"agents:read"}"#;
const CALLS: &[&str] = &[
    "open v=1 workspace=TEST00",
    "record v=1 kid=0TEST00AF0VVQT70MV32",
    "admit v=1 id=00000000000000000000000000000001 kid=0TEST00AF0VVQT70MV32 version=1 coins=1 want=4 millis=2000",
    "admit v=2 id=00000000000000000000000000000001 kid=0TEST00AF0VVQT70MV32 version=1 want=1 millis=2000 mark=00000000000000000000000000000002:1800000300",
    "admit v=3 id=00000000000000000000000000000001 kid=0TEST00AF0VVQT70MV32 version=1 want=1 millis=2000 cost=5 product=metered settle=1",
    "report v=1 kid=0TEST00AF0VVQT70MV32 report=00000000000000000000000000000001:1:1:1 denied=RATE_LIMITED:1",
    "settle v=1 id=00000000000000000000000000000001 kid=0TEST00AF0VVQT70MV32 coins=4",
    "status v=1 kid=0TEST00AF0VVQT70MV32 status=revoked",
    "revoke-all v=1",
    "usage v=1 kid=0TEST00AF0VVQT70MV32 from=0 to=9999999",
    "due v=1",
    "copied v=1 copy=0TEST00AF0VVQT70MV32:1",
    "alerts v=1 sending=1",
];
const ANSWERS: &[&str] = &[
    "granted tokens=25 millis=2000 requests=1000 window=3600 burst=100 remaining=975 window_end=1800000300 burst_remaining=75",
    "refused retry=1000 by=workspace",
    "replayed",
    "unknown",
    "done",
    "written version=2 effective_by=1800000000",
    "conflict why=version",
    "broken row=meta",
];
