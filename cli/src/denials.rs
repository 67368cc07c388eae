//! `tail` and `denial`: what the gates refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::machine;
use crate::online::{Online, Workspace};
use crate::output::{Exit, Failure, Output, visible};
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
    /// Tell how many there were, by hour and code: all of them, also those of which no more is kept.
    #[arg(long)]
    counts: bool,
}

/// Hours and codes, with the count of denials.
type Counts = BTreeMap<(String, String), u64>;

/// Prints a line for each request that was refused, the oldest first, until it is ended.
pub(crate) fn tail(
    Online { verb, connection }: &Online<Tail>,
    json: bool,
) -> Result<Output, Failure> {
    let workspace = connection.workspace()?;
    let (mut known, mut told) = (Counts::new(), BTreeSet::new());
    // Isolates tell late: what was refused since then is new whenever it is told.
    let begin = machine::now()?.saturating_sub(verb.since);
    loop {
        let lines = if verb.counts {
            let back = machine::now()?.saturating_sub(verb.since.max(HOUR));
            let from = when::rfc3339(begin.max(back))?;
            let counts = counts(&looked(&workspace, &format!("/usage?from={from}"))?);
            let lines = grown(&known, &counts, json);
            known = counts;
            lines
        } else {
            fresh(&mut told, &looked(&workspace, "/denials")?, &when::rfc3339(begin)?, json)
        };
        let mut out = anstream::stdout();
        for line in lines {
            writeln!(out, "{line}").map_err(|error| Failure::stdout(&error))?;
        }
        if verb.once {
            return Ok(Output::nothing());
        }
        std::thread::sleep(Duration::from_secs(verb.every));
    }
}

/// What is there now. Whoever watches goes on watching when the way was closed for a while.
fn looked(workspace: &Workspace, rest: &str) -> Result<Value, Failure> {
    let mut attempt = 0;
    loop {
        match workspace.get(rest) {
            Err(failure) if failure.is(Exit::Unreachable) => {
                if !workspace.retry().wait(attempt, None, NO_ANSWER)? {
                    return Err(failure);
                }
                attempt = attempt.saturating_add(1);
            }
            looked => return looked,
        }
    }
}

/// The requests since `from` that were not told yet, the oldest first.
fn fresh(told: &mut BTreeSet<String>, body: &Value, from: &str, json: bool) -> Vec<String> {
    let all = body.get("denials").and_then(Value::as_array).into_iter().flatten();
    let all: Vec<&Value> = all.collect();
    // Times of one form, which sort as texts do.
    let is_new = |one: &&&Value| {
        view::field(one, "time").as_str() >= from.trim_end_matches('Z')
            && told.insert(view::field(one, "request_id"))
    };
    let line = |one: &&Value| {
        let cells = ["time", "code", "method", "path", "kid", "address", "detail", "request_id"];
        let cell = |name| {
            visible(&view::field(one, name)).replace(['\n', char::REPLACEMENT_CHARACTER], " ")
        };
        if json { one.to_string() } else { cells.map(cell).join("\t") }
    };
    all.iter().rev().filter(is_new).map(line).collect()
}

/// The codes whose counts have grown, and by how much.
fn grown(known: &Counts, counts: &Counts, json: bool) -> Vec<String> {
    let line = |(at, count): (&(String, String), &u64)| {
        let more = count.saturating_sub(known.get(at).copied().unwrap_or(0));
        let (hour, code) = at;
        let line = if json {
            json!({ "hour": hour, "code": code, "more": more, "count": count }).to_string()
        } else {
            format!("{hour}\t{code}\t+{more}\t{count}")
        };
        (more > 0).then_some(line)
    };
    counts.iter().filter_map(line).collect()
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

const NO_ANSWER: &str = "no answer came";
/// Seconds; an hour that is over may still be told of.
const HOUR: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_told_once_the_oldest_first() {
        let one = |id: &str, time: &str| json!({ "request_id": id, "time": time, "path": "/\t" });
        let mut told = BTreeSet::new();
        let from = "2026-01-01T00:00:01Z";
        let body = json!({ "denials": [
            one("b", "2026-01-01T00:00:02.500Z"), one("a", "2026-01-01T00:00:01.001Z"),
            one("old", "2026-01-01T00:00:00.999Z"),
        ] });
        let lines = fresh(&mut told, &body, from, false);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].ends_with("\ta") && lines[1].ends_with("\tb"), "{lines:?}");
        assert_eq!(lines[0].matches('\t').count(), 7);
        assert_eq!(fresh(&mut told, &body, from, true), Vec::<String>::new());
        let more = json!({ "denials": [one("c", "2026-01-01T00:00:03.000Z")] });
        assert_eq!(fresh(&mut told, &more, from, true).len(), 1);
    }
}
