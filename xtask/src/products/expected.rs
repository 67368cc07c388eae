//! Whether a value is as a case expects it.

use anyhow::{Context, Result, bail, ensure};
use portcullis::management::time;
use serde_json::Value;

use crate::conformance::now;

/// Checks a member of a body, a header or nothing against what is expected: a value; `null` for none; or one of
/// `{"starts": text}`, `{"holds": text}`, `{"lacks": text}`, `{"any": true}`, `{"length": n}`, `{"from": n, "to": n}`,
/// `{"seconds": [from, to]}` for a time so far ahead, `{"monday": true}` for the beginning of a week.
pub fn check(actual: Option<&Value>, expected: &Value) -> Result<()> {
    let Some(actual) = actual.filter(|actual| !actual.is_null()) else {
        ensure!(expected.is_null(), "it is not there");
        return Ok(());
    };
    let Some(form) = expected.as_object() else {
        ensure!(actual == expected, "it is {actual}");
        return Ok(());
    };
    for (word, want) in form {
        form_of(actual, word, want).with_context(|| format!("it is {actual}"))?;
    }
    Ok(())
}

fn form_of(actual: &Value, word: &str, want: &Value) -> Result<()> {
    let text = actual.as_str().map_or_else(|| actual.to_string(), str::to_owned);
    let wanted = want.as_str().unwrap_or_default();
    let bound = || want.as_f64().context("no number");
    let is_so = match word {
        "starts" => text.starts_with(wanted) && !wanted.is_empty(),
        "holds" => text.contains(wanted) && !wanted.is_empty(),
        "lacks" => !text.contains(wanted) && !wanted.is_empty(),
        "any" => true,
        "length" => actual.as_array().map(Vec::len) == want.as_u64().map(|length| length as usize),
        "from" => number(actual)? >= bound()?,
        "to" => number(actual)? <= bound()?,
        "seconds" => {
            let ahead = second(actual)? - now()? as f64;
            let side =
                |place: usize| want.get(place).and_then(Value::as_f64).context("two numbers");
            ahead >= side(0)? && ahead <= side(1)?
        }
        // 1970-01-01 was a Thursday.
        "monday" => {
            (second(actual)? as u64).checked_sub(4 * DAY).is_some_and(|t| t % (7 * DAY) == 0)
        }
        other => bail!("no such expectation: {other}"),
    };
    ensure!(is_so, "not {word} {want}");
    Ok(())
}

/// Headers are texts.
fn number(value: &Value) -> Result<f64> {
    let text = || value.as_str().and_then(|text| text.parse().ok());
    value.as_f64().or_else(text).context("no number")
}

/// As a number of seconds, or as the management API writes times.
fn second(value: &Value) -> Result<f64> {
    let time = value.as_str().and_then(time::parse);
    time.map_or_else(|| number(value), |second| Ok(second as f64))
}

const DAY: u64 = 24 * 3600;
