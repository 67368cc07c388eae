//! Tokens with the key sets by which they are to be verified, as one issuer's, and what becomes of them.

use anyhow::{Context, Result, ensure};
use portcullis::token::Token;

use super::Bench;
use super::issuers::Behaviour;
use super::tokens::{bearer, me, refusal};
use crate::issuer::key::encode;

/// A token, and whether it has to be accepted.
#[derive(Debug, Clone)]
pub struct Case {
    pub what: String,
    /// What the issuer publishes.
    pub set: String,
    pub token: String,
    /// What WebCrypto is given in the place of what the token says.
    pub text: Option<Vec<u8>>,
    pub is_accepted: bool,
}

/// Asks with each, in turn: 401 `INVALID_TOKEN` refuses all that could be one credential. How many were accepted and
/// refused.
pub fn ask(bench: &mut Bench, cases: &[Case]) -> Result<(usize, usize)> {
    bench.restart()?;
    let (mut accepted, mut refused) = (0, 0);
    let mut wrong = Vec::new();
    for (number, cases) in cases.chunk_by(|one, next| one.set == next.set).enumerate() {
        let set = cases.first().context("no case")?.set.clone();
        bench.issuers.set(HOST, Behaviour::Text(200, set));
        // The set before is too old by now.
        let clock = format!("X-Clock: {}\r\n", 601_000 * (number + 1));
        for case in cases {
            let text = case.text.as_ref().map(|text| format!("X-Signed: {}\r\n", encode(text)));
            let headers = format!("{clock}{}{}", text.unwrap_or_default(), bearer(&case.token));
            let reply = me(bench, &headers)?;
            let is_accepted = reply.status == 200;
            accepted += usize::from(is_accepted);
            refused += usize::from(!is_accepted);
            if is_accepted != case.is_accepted {
                wrong.push(format!("{}: {} {}", case.what, reply.status, reply.text()));
            } else if !is_accepted {
                // A comma parts the values of a header that was sent twice.
                let (status, code) = match case.token.contains(',') {
                    true => (400, "AMBIGUOUS_CREDENTIALS"),
                    false => (401, "INVALID_TOKEN"),
                };
                if let Err(error) = refusal(bench, &reply, status, code) {
                    wrong.push(format!("{}: {error:#}", case.what));
                }
            }
        }
        let asks = |case: &Case| {
            Token::parse(&case.token).is_ok_and(|token| token.check_algorithm().is_ok())
        };
        let expected = usize::from(cases.iter().any(asks));
        let asked = bench.issuers.asked(HOST);
        if asked != expected {
            let what = cases.first().map(|case| case.what.as_str()).unwrap_or_default();
            wrong.push(format!("{what} and on: fetched {asked} times, not {expected}"));
        }
    }
    ensure!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    bench.restart()?;
    Ok((accepted, refused))
}

/// Whose they are.
pub const HOST: &str = "vectors.test";
/// What a good one says; until the year 2100.
pub const CLAIMS: &str =
    r#"{"iss":"https://vectors.test","sub":"case","aud":"portcullis","exp":4102444800}"#;
