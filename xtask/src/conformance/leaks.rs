//! Reports of a secret scanner, signed in earnest.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Bench;
use super::issuers::Behaviour;
use super::management::{made, open};
use super::tokens::refusal;
use crate::api::Api;
use crate::http::Reply;
use crate::issuer::key::SigningKey;
use crate::issuer::scanner::{self, KEY, SIGNATURE};

/// A key that was found is held back everywhere; what nobody has signed changes nothing.
pub fn reported(bench: &mut Bench) -> Result<()> {
    let (owner, space) = open(bench)?;
    let key = made(&owner, &space)?;
    let text = key["secret"].as_str().context("no secret")?.to_owned();
    let path = format!("{space}/api-keys/{}", key["id"].as_str().context("no id")?);
    let gated = Api::new(bench.address, Some(text.clone())).on_host("api.test");
    let works = || -> Result<u16> { Ok(gated.ask("GET", "/v1/strict", None)?.status) };
    ensure!(works()? == 200, "a new key does not work");
    let status = || -> Result<Value> { Ok(owner.done("GET", &path, None)?["status"].clone()) };

    let scanner = SigningKey::es256()?;
    let publish = |keys: &[&SigningKey]| {
        let text = scanner::published(keys).to_string();
        bench.issuers.set(HOST, Behaviour::Text(200, text));
    };
    let report = |key: &SigningKey| scanner::report(bench.address, key, &[&text, "hunter2"]);
    bench.issuers.set(HOST, Behaviour::Text(500, String::new()));
    refusal(bench, &report(&scanner)?, 503, "AUTH_UNAVAILABLE")
        .context("a scanner that is down")?;
    publish(&[&scanner]);
    // An isolate asks again after a second.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let mut stranger = SigningKey::es256()?;
    stranger.kid.clone_from(&scanner.kid);
    refusal(bench, &report(&stranger)?, 401, "INVALID_SIGNATURE").context("another's signature")?;
    refusal(bench, &changed(bench, &scanner, &text)?, 401, "INVALID_SIGNATURE")
        .context("another body")?;
    ensure!(status()? == "active" && works()? == 200, "changed without a signature");

    let reply = report(&scanner)?;
    ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
    let judged = reply.json()?;
    let labels: Vec<_> =
        judged.as_array().context("no list")?.iter().map(|one| &one["label"]).collect();
    ensure!(labels == ["true_positive", "false_positive"], "{labels:?}");
    ensure!(!reply.text().contains(&text), "the secret is sent back");
    ensure!(status()? == "quarantined", "{}", status()?);
    let refused = gated.ask("GET", "/v1/strict", None)?;
    ensure!(
        refused.status == 403 && refused.text().contains("KEY_QUARANTINED"),
        "{}",
        refused.text()
    );
    let audit = owner.done("GET", &format!("{space}/audit"), None)?;
    let entry = &audit["entries"][0];
    ensure!(entry["action"] == "key.quarantine" && entry["actor"] == "secret-scanner", "{entry}");
    ensure!(!audit.to_string().contains(&text), "the audit log holds the secret");

    // The key of the policy is believed although nobody publishes it.
    owner.done("POST", &format!("{path}/enable"), None)?;
    ensure!(
        report(&bench.issuers.scanner)?.status == 200 && status()? == "quarantined",
        "the policy's key"
    );
    Ok(())
}

/// A report whose body is not the signed one.
fn changed(bench: &Bench, key: &SigningKey, text: &str) -> Result<Reply> {
    let body = json!([{ "token": text }]).to_string();
    let signature = scanner::sign(key, json!([{ "token": "x" }]).to_string().as_bytes())?;
    let headers = [(KEY, key.kid.as_str()), (SIGNATURE, signature.as_str())];
    Api::new(bench.address, None).send("POST", "/api/v1/leaks", &headers, body.as_bytes())
}

const HOST: &str = "scanner.test";
