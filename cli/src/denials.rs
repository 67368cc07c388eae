//! `tail` and `denial`: what the gates refuse.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::machine;
use crate::online::Online;
use crate::output::{Failure, Output};
use crate::view;
use crate::when;

#[derive(Args)]
pub(crate) struct Denial {
    /// `X-Request-Id` of the answer.
    #[arg(value_name = "REQUEST-ID")]
    request: String,
}

/// By what a request was refused.
pub(crate) fn denial(Online { verb, connection }: &Online<Denial>) -> Result<Output, Failure> {
    let fits = verb.request.len() <= 64
        && verb.request.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !fits {
        return Err(Failure::usage("a request's id is that of the answer's X-Request-Id"));
    }
    let body = connection.workspace()?.get(&format!("/denials/{}", verb.request))?;
    Ok(Output::table(view::fields(&body), body))
}

#[derive(Args)]
pub(crate) struct Tail {
    /// How far back to begin.
    #[arg(long, value_parser = when::span, default_value = "1h", value_name = "SPAN")]
    since: u64,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS")]
    every: u64,
    /// Look once.
    #[arg(long)]
    once: bool,
}

/// Hours and codes, with the count of denials.
type Counts = BTreeMap<(String, String), u64>;

/// Prints a line for each code whose count has grown, and by how much, until it is ended.
pub(crate) fn tail(
    Online { verb, connection }: &Online<Tail>,
    json: bool,
) -> Result<Output, Failure> {
    let workspace = connection.workspace()?;
    let mut known = Counts::new();
    loop {
        let from = when::rfc3339(machine::now()?.saturating_sub(verb.since))?;
        let counts = counts(&workspace.get(&format!("/usage?from={from}"))?);
        let mut out = anstream::stdout();
        for ((hour, code), count) in &counts {
            let before = known.get(&(hour.clone(), code.clone())).copied().unwrap_or(0);
            let more = count.saturating_sub(before);
            if more > 0 {
                let line = if json {
                    json!({ "hour": hour, "code": code, "more": more, "count": count }).to_string()
                } else {
                    format!("{hour}\t{code}\t+{more}\t{count}")
                };
                writeln!(out, "{line}").map_err(|error| Failure::stdout(&error))?;
            }
        }
        known = counts;
        if verb.once {
            return Ok(Output::nothing());
        }
        std::thread::sleep(Duration::from_secs(verb.every));
    }
}

fn counts(usage: &Value) -> Counts {
    let mut counts = Counts::new();
    for hour in usage.get("hours").and_then(Value::as_array).into_iter().flatten() {
        let denied = hour.get("denied").and_then(Value::as_object);
        for (code, count) in denied.into_iter().flatten() {
            let hour = view::field(hour, "hour");
            counts.insert((hour, code.clone()), count.as_u64().unwrap_or(0));
        }
    }
    counts
}
