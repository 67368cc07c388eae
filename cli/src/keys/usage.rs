//! `keys usage`: hours, their sums, and a chart on a terminal.

use std::io::IsTerminal;

use clap::Args;
use portcullis::key::Kid;
use serde_json::Value;

use crate::machine;
use crate::online::Online;
use crate::output::{Failure, Output};
use crate::table::Table;
use crate::view;
use crate::when;

#[derive(Args)]
pub(crate) struct Usage {
    /// The key's id: the middle part of its text [default: the user's own API key].
    #[arg(value_parser = super::kid, value_name = "KEY-ID")]
    kid: Option<Kid>,
    /// How far back.
    #[arg(long, value_parser = when::span, default_value = "24h", value_name = "SPAN")]
    since: u64,
}

pub(super) fn usage(Online { verb, connection }: &Online<Usage>) -> Result<Output, Failure> {
    let now = machine::now()?;
    let from = when::rfc3339(now.saturating_sub(verb.since))?;
    let body = match verb.kid {
        Some(kid) => {
            let workspace = connection.workspace()?;
            workspace.get(&format!("/api-keys/{kid}/usage?from={from}"))?
        }
        None => connection.key_holder()?.get(format!("/api/v1/keys/usage?from={from}"))?,
    };
    Ok(shown(body))
}

/// The hours of an answer.
pub(crate) fn shown(body: Value) -> Output {
    let hours: Vec<&Value> =
        body.get("hours").and_then(Value::as_array).into_iter().flatten().collect();
    let most = hours.iter().map(|hour| requests(hour)).max().unwrap_or(0);
    let drawn = std::io::stdout().is_terminal();
    let rows = hours.iter().map(|hour| {
        let mut row = ["hour", "exact", "at_most", "coins", "denied"]
            .map(|name| view::field(hour, name))
            .to_vec();
        if drawn {
            row.push(bar(requests(hour), most));
        }
        row
    });
    let head: &[_] = if drawn {
        &["HOUR", "EXACT", "AT MOST", "COINS", "DENIED", ""]
    } else {
        &["HOUR", "EXACT", "AT MOST", "COINS", "DENIED"]
    };
    let table = Table::new(head, rows.collect()).cut(&[4]);
    let last = view::field(&body, "last_used");
    let total: u64 = hours.iter().map(|hour| requests(hour)).fold(0, u64::saturating_add);
    let words = format!("{total} requests at most in {} hours; last used: {last}", hours.len());
    let left_out = body.get("keys_left_out").and_then(Value::as_u64).filter(|keys| *keys > 0);
    let output = Output::table(table, body).note(words);
    left_out.into_iter().fold(output, |output, keys| {
        output.note(format!("not among them: {keys} keys, for which a shorter --since has room"))
    })
}

fn requests(hour: &Value) -> u64 {
    hour.get("at_most").and_then(Value::as_u64).unwrap_or(0)
}

/// A bar in eighths of a cell, [`WIDTH`] cells for the most.
fn bar(value: u64, most: u64) -> String {
    let eighths = value.saturating_mul(WIDTH.saturating_mul(8)).checked_div(most).unwrap_or(0);
    let eighths = if value > 0 { eighths.max(1) } else { 0 };
    let (whole, rest) = (eighths.checked_div(8).unwrap_or(0), eighths.checked_rem(8).unwrap_or(0));
    let part = usize::try_from(rest).ok().filter(|rest| *rest > 0);
    let part = part.and_then(|rest| "▏▎▍▌▋▊▉".chars().nth(rest.saturating_sub(1)));
    let whole = "█".repeat(usize::try_from(whole).unwrap_or(0));
    part.into_iter().fold(whole, |bar, part| format!("{bar}{part}"))
}

const WIDTH: u64 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_part_of_the_most() {
        assert_eq!((bar(0, 0), bar(0, 9)), (String::new(), String::new()));
        assert_eq!(bar(9, 9), "█".repeat(24));
        assert_eq!(bar(5, 80), "█▌");
        assert_eq!(bar(1, u64::MAX), "▏");
    }
}
